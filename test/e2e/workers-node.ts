/** A real `coffer server` with workers, for tests: which process answers is found out from outside, by its sockets. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from './server-process.ts'

export interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly text: string
  readonly json: any
}

/** One connection, so always the same process at its other end. */
export class Line {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })
  readonly #port: number
  localPort = 0

  constructor(port: number) {
    this.#port = port
  }

  request(
    method: string,
    path: string,
    body?: unknown,
    token?: string,
    more: Record<string, string> = {},
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const request = httpRequest({
        agent: this.#agent,
        ...{ host: '127.0.0.1', port: this.#port, method, path: `/v1/${path}` },
        headers: { ...(token ? { 'X-Vault-Token': token } : {}), ...more },
      })
      request.on('error', reject)
      request.on('response', (response) => {
        this.localPort = response.socket.localPort ?? 0
        const chunks: Buffer[] = []
        response.on('data', (chunk) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString()
          let json: unknown
          try {
            json = JSON.parse(text)
          } catch {}
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json })
        })
      })
      request.end(body === undefined ? undefined : JSON.stringify(body))
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}

export class WorkersNode {
  readonly dir = mkdtempSync(join(tmpdir(), 'coffer-workers-'))
  readonly port: number
  readonly #lines: Line[] = []
  readonly #nodeArgs: readonly string[]
  child: ChildProcess | undefined
  rootToken = ''
  keys: string[] = []
  output = ''

  static async start(
    settings: string | ((dir: string) => string) = '',
    workers: number | 'auto' = 2,
    nodeArgs: readonly string[] = [],
  ): Promise<WorkersNode> {
    const node = new WorkersNode(await freePort(), nodeArgs)
    for (const name of ['data', 'audit']) mkdirSync(join(node.dir, name))
    node.configure(typeof settings === 'string' ? settings : settings(node.dir), workers)
    await node.run()
    return node
  }

  /** On a port that is not free; what it leaves is removed. */
  static async startAt(port: number): Promise<never> {
    const node = new WorkersNode(port)
    try {
      mkdirSync(join(node.dir, 'data'))
      node.configure('')
      await node.run()
      throw new Error('it has started')
    } finally {
      await node.close()
    }
  }

  private constructor(port: number, nodeArgs: readonly string[] = []) {
    this.port = port
    this.#nodeArgs = nodeArgs
  }

  get config(): string {
    return join(this.dir, 'server.hcl')
  }

  configure(settings: string, workers: number | 'auto' = 2): void {
    writeFileSync(
      this.config,
      `listener "tcp" {\n  address = "127.0.0.1:${this.port}"\n  tls_disable = true\n}\nstorage "lmdb" {\n  path = "${this.dir}/data"\n}\naudit_file_directories = ["${this.dir}/audit"]\nworkers = ${JSON.stringify(workers)}\n${settings}\n`,
    )
  }

  async run(): Promise<void> {
    const args = [...this.#nodeArgs, join(root, 'bin/coffer'), 'server', `-config=${this.config}`]
    const child = spawn(process.execPath, args, {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { PATH: process.env['PATH'], HOME: this.dir, COFFER_SUPERVISED: '1' },
    })
    this.child = child
    child.stdout?.on('data', (data) => (this.output += data))
    child.stderr?.on('data', (data) => (this.output += data))
    await new Promise<void>((done, fail) => {
      child.on('message', (message: { type?: string }) => message?.type === 'ready' && done())
      child.once('exit', (code, signal) => fail(new Error(`the server ended with ${code ?? signal}:\n${this.output}`)))
    })
  }

  line(): Line {
    const line = new Line(this.port)
    this.#lines.push(line)
    return line
  }

  async request(method: string, path: string, body?: unknown, token = this.rootToken): Promise<Answer> {
    const line = new Line(this.port)
    try {
      return await line.request(method, path, body, token)
    } finally {
      line.close()
    }
  }

  async init(shares = 1, threshold = 1): Promise<void> {
    const made = await this.request('PUT', 'sys/init', { secret_shares: shares, secret_threshold: threshold }, '')
    this.keys = made.json.keys_base64
    this.rootToken = made.json.root_token
    for (const key of this.keys.slice(0, threshold)) await this.request('PUT', 'sys/unseal', { key }, '')
  }

  async unseal(): Promise<Answer> {
    return this.request('PUT', 'sys/unseal', { key: this.keys[0] }, '')
  }

  /** All processes of the server but the first. */
  pids(): number[] {
    const pid = this.child?.pid
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number)
  }

  /** The process at the other end of a line that was used. */
  pidOf(line: Line): number {
    const inode = serverInode(this.port, line.localPort)
    const found = this.pids().find((pid) => socketsOf(pid).includes(`socket:[${inode}]`))
    if (found === undefined) throw new Error('no process has the other end of this connection')
    return found
  }

  /** One line to each of two workers. */
  async pair(): Promise<{ a: Line; b: Line; pidA: number; pidB: number }> {
    const a = this.line()
    await a.request('GET', 'sys/seal-status')
    const pidA = this.pidOf(a)
    for (let i = 0; i < 50; i += 1) {
      const b = this.line()
      await b.request('GET', 'sys/seal-status')
      const pidB = this.pidOf(b)
      if (pidB !== pidA) return { a, b, pidA, pidB }
    }
    throw new Error('every connection goes to the same worker')
  }

  /** The process that serves nobody. */
  async housekeeper(): Promise<number> {
    const { pidA, pidB } = await this.pair()
    const found = this.pids().find((pid) => pid !== pidA && pid !== pidB)
    if (found === undefined) throw new Error('there is no housekeeper')
    return found
  }

  async end(signal: NodeJS.Signals): Promise<{ code: number | null; signal: string | null }> {
    const { child } = this
    for (const line of this.#lines.splice(0)) line.close()
    if (!child || child.exitCode !== null || child.signalCode !== null) {
      return { code: child?.exitCode ?? null, signal: child?.signalCode ?? null }
    }
    const gone = new Promise<{ code: number | null; signal: string | null }>((done) =>
      child.once('exit', (code, by) => done({ code, signal: by })),
    )
    child.kill(signal)
    return gone
  }

  async close(): Promise<void> {
    const pids = this.child?.exitCode === null && this.child.signalCode === null ? this.pids() : []
    for (const pid of pids) signalTo(pid, 'SIGCONT')
    await this.end('SIGKILL')
    await until(() => pids.every((pid) => !alive(pid)), 'processes of the server are still there').catch(() => {
      for (const pid of pids) signalTo(pid, 'SIGKILL')
    })
    rmSync(this.dir, { recursive: true, force: true })
  }
}

export function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {}
}

/** A zombie has ended. */
export function alive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) !== 'Z'
  } catch {
    return false
  }
}

/** Waits for what can be seen. */
export async function until(seen: () => boolean | Promise<boolean>, otherwise: string, ms = 60_000): Promise<void> {
  const end = Date.now() + ms
  while (!(await seen())) {
    if (Date.now() > end) throw new Error(otherwise)
    await new Promise((done) => setTimeout(done, 20))
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as { port: number }
  await new Promise((done) => server.close(done))
  return port
}

/** proc(5): addresses are hexadecimal. */
function serverInode(serverPort: number, clientPort: number): string {
  const hex = (port: number) => port.toString(16).toUpperCase().padStart(4, '0')
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1)) {
    const [, local = '', remote = '', , , , , , , inode = ''] = line.trim().split(/\s+/)
    if (local.endsWith(`:${hex(serverPort)}`) && remote.endsWith(`:${hex(clientPort)}`)) return inode
  }
  throw new Error(`no connection from ${clientPort} to ${serverPort}`)
}

function socketsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return [readlinkSync(`/proc/${pid}/fd/${fd}`)]
      } catch {
        return []
      }
    })
  } catch {
    return []
  }
}

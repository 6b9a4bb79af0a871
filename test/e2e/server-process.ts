/** A real `coffer server` in a process of its own, for tests: LMDB in a temporary folder, plain HTTP on a free port. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

export const root = resolve(import.meta.dirname, '../..')

export interface Answer {
  readonly status: number
  readonly text: string
  /** Undefined when the text is none. */
  readonly json: any
}

export interface TestServer {
  readonly dir: string
  url: string
  child: ChildProcess
  rootToken: string
  unsealKeys: string[]
  /** Everything that the process printed, all starts. */
  output(): string
  request(method: string, path: string, body?: unknown, token?: string): Promise<Answer>
  start(): Promise<void>
  /** Ends it and waits. SIGTERM gives its exit status. */
  kill(signal: NodeJS.Signals): Promise<number | null>
  /** Stops it and removes the folder. */
  close(): Promise<void>
}

export async function startServer(
  options: {
    auditDirectories?: string[]
    init?: boolean
    /** The storage is that of this one, too: no init, but its keys and its token. */
    joins?: TestServer | undefined
    stanzas?: string
    storage?: string
    env?: Record<string, string>
    nodeArgs?: readonly string[]
    /** What is run, asked at each start; default: the build. */
    program?: () => string
  } = {},
): Promise<TestServer> {
  const dir = mkdtempSync(join(tmpdir(), 'coffer-e2e-'))
  for (const name of ['data', 'audit', 'home']) mkdirSync(join(dir, name))
  const config = join(dir, 'server.hcl')
  writeFileSync(
    config,
    `listener "tcp" {\n  address = "127.0.0.1:0"\n  tls_disable = true\n}\n${options.storage ?? `storage "lmdb" {\n  path = "${dir}/data"\n}`}\naudit_file_directories = ${JSON.stringify([`${dir}/audit`, ...(options.auditDirectories ?? [])])}\n${options.stanzas ?? ''}`,
  )
  let output = ''
  const server: TestServer = {
    dir,
    url: '',
    child: undefined as never,
    rootToken: '',
    unsealKeys: [],
    output: () => output,
    request: (method, path, body, token = server.rootToken) => ask(server.url, method, path, body, token),
    async start() {
      server.child = spawn(
        process.execPath,
        [...(options.nodeArgs ?? []), options.program?.() ?? join(root, 'bin/coffer'), 'server', `-config=${config}`],
        {
          stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
          env: { PATH: process.env['PATH'], HOME: join(dir, 'home'), COFFER_SUPERVISED: '1', ...options.env },
        },
      )
      server.child.stdout?.on('data', (data) => (output += data))
      server.child.stderr?.on('data', (data) => (output += data))
      const address = await new Promise<string>((done, fail) => {
        server.child.on('message', (message: any) => message?.type === 'ready' && done(message.address))
        server.child.once('exit', (code, signal) =>
          fail(new Error(`the server ended with ${code ?? signal}:\n${output.slice(-2000)}`)),
        )
      })
      server.url = address.startsWith('http') ? address : `http://${address}`
    },
    async kill(signal) {
      const { child } = server
      if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
      const gone = new Promise<number | null>((done) => child.once('exit', (code) => done(code)))
      child.kill(signal)
      return gone
    },
    async close() {
      await server.kill('SIGKILL')
      rmSync(dir, { recursive: true, force: true })
    },
  }
  try {
    await server.start()
    if (options.joins) {
      server.unsealKeys = options.joins.unsealKeys
      server.rootToken = options.joins.rootToken
      await unseal(server)
    } else if (options.init !== false) {
      const init = await server.request('PUT', 'sys/init', { secret_shares: 1, secret_threshold: 1 }, '')
      server.unsealKeys = init.json.keys_base64
      server.rootToken = init.json.root_token
      await unseal(server)
    }
  } catch (error) {
    await server.close()
    throw error
  }
  return server
}

/** `url` without its path. A body of text goes as it is. */
export async function ask(url: string, method: string, path: string, body: unknown, token: string): Promise<Answer> {
  const answer = await fetch(`${url}/v1/${path}`, {
    method,
    headers: token ? { 'X-Vault-Token': token } : {},
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await answer.text()
  let json: any
  try {
    json = JSON.parse(text)
  } catch {
    json = undefined
  }
  return { status: answer.status, text, json }
}

export async function unseal(server: TestServer): Promise<void> {
  for (const key of server.unsealKeys) await server.request('PUT', 'sys/unseal', { key }, '')
}

/** Every file below a folder, as one text, for looking for canaries. */
export function everythingBelow(dir: string): { path: string; text: string }[] {
  return readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .map((name) => join(dir, name))
    .filter((path) => statSync(path).isFile())
    .map((path) => ({ path, text: readFileSync(path, 'latin1') }))
}

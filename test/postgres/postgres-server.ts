/** A real PostgreSQL for tests, with fsync, in a temporary folder; as root it runs as nobody, because initdb refuses root. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { systemClock } from '../../src/lib/clock.ts'
import { postgresBin } from './programs.mjs'

/** Nowhere but in PostgreSQL and in connections to it. */
export const passwordCanary = 'canary-4f1c-p@ss:word/é'

const nobody: { uid?: number; gid?: number } = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}

export interface PostgresServer {
  readonly port: number
  readonly folder: string
  url(database?: string, parameters?: string): string
  start(): Promise<void>
  /** SIGKILL of every process of it, at once. */
  crash(): Promise<void>
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void
  /** Ends it in order. */
  stop(): Promise<void>
  /** Statements as the superuser; one column of each row. */
  sql(text: string, database?: string): Promise<string[]>
  newDatabase(): Promise<string>
  log(): string
  close(): Promise<void>
}

/** A free port may be taken by another test before PostgreSQL has it: then another one. */
export async function startPostgres(
  settings: Readonly<Record<string, string>> = {},
  found = postgresBin(),
): Promise<PostgresServer> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOnce(settings, found)
    } catch (error) {
      if (attempt === 3 || !String(error).includes('could not bind')) throw error
    }
  }
}

async function startOnce(
  settings: Readonly<Record<string, string>>,
  found: string | undefined,
): Promise<PostgresServer> {
  if (!found) throw new Error('there is no PostgreSQL')
  const folder = mkdtempSync(join(tmpdir(), 'coffer-postgres-'))
  chmodSync(folder, 0o755)
  const bin = reachable(found, folder)
  const data = join(folder, 'data')
  mkdirSync(data, { mode: 0o700 })
  const passwordFile = join(folder, 'password')
  writeFileSync(passwordFile, passwordCanary)
  if (nobody.uid) for (const path of [folder, data, passwordFile]) chownSync(path, nobody.uid, nobody.gid ?? nobody.uid)
  const env = { PATH: process.env['PATH'], LD_LIBRARY_PATH: join(dirname(bin), 'lib'), LC_ALL: 'C.UTF-8' }
  const initdb = ['-D', data, '-U', 'coffer', '-A', 'scram-sha-256', `--pwfile=${passwordFile}`, '-E', 'UTF8']
  execFileSync(join(bin, 'initdb'), initdb, { ...nobody, env, cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
  const port = await freePort()
  const logFile = join(folder, 'log')
  let child: ChildProcess | undefined
  let databases = 0
  const all = {
    ...settings,
    port: String(port),
    listen_addresses: '127.0.0.1,127.0.0.2',
    unix_socket_directories: folder,
    max_connections: '200',
  }

  const server: PostgresServer = {
    port,
    folder,
    url: (database = 'postgres', parameters = '') =>
      `postgres://coffer:${encodeURIComponent(passwordCanary)}@127.0.0.1:${port}/${database}${parameters}`,
    async start() {
      const deadline = systemClock.monotonic() + 60_000
      // After a crash the old processes take a moment to let go of the shared memory.
      for (;;) {
        const args = ['-D', data, ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])]
        const process_ = spawn(join(bin, 'postgres'), args, {
          ...nobody,
          env,
          cwd: folder,
          stdio: ['ignore', 'pipe', 'pipe'],
        })
        const said = server.log().length
        let ended = false
        process_.once('exit', () => {
          ended = true
        })
        for (const stream of [process_.stdout, process_.stderr]) {
          stream?.on('data', (chunk: Buffer) => writeFileSync(logFile, chunk, { flag: 'a' }))
        }
        child = process_
        while (!ended) {
          if (await answers(server, data)) {
            // It starts with one address when another process has the port on the other.
            if (!server.log().slice(said).includes('could not bind')) return
            await server.stop()
            throw new Error(`a port is taken:\n${server.log().slice(said)}`)
          }
          if (systemClock.monotonic() > deadline)
            throw new Error(`PostgreSQL did not start:\n${server.log().slice(-2000)}`)
          await systemClock.sleep(20)
        }
        if (systemClock.monotonic() > deadline)
          throw new Error(`PostgreSQL did not start:\n${server.log().slice(-2000)}`)
        await systemClock.sleep(50)
      }
    },
    async crash() {
      if (!child?.pid || child.exitCode !== null || child.signalCode !== null) return
      const gone = new Promise((resolve) => child?.once('exit', resolve))
      const pids = processesOf(child.pid)
      for (const pid of pids) kill(pid, 'SIGKILL')
      await gone
    },
    signal(signal) {
      if (child?.pid) for (const pid of processesOf(child.pid)) kill(pid, signal)
    },
    async stop() {
      if (!child || child.exitCode !== null || child.signalCode !== null) return
      const gone = new Promise((resolve) => child?.once('exit', resolve))
      child.kill('SIGINT')
      await gone
    },
    async sql(text, database = 'postgres') {
      const { Client } = await import('pg')
      const client = new Client({ connectionString: server.url(database) })
      client.on('error', () => undefined)
      await client.connect()
      try {
        const { rows } = await client.query({ text, rowMode: 'array' })
        return rows.map(([first]) => String(first))
      } finally {
        await client.end()
      }
    },
    async newDatabase() {
      databases += 1
      const name = `d${databases}`
      await server.sql(`CREATE DATABASE ${name}`)
      return name
    },
    log: () => (existsSync(logFile) ? readFileSync(logFile, 'utf8') : ''),
    async close() {
      server.signal('SIGCONT')
      await server.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
  try {
    await server.start()
  } catch (error) {
    await server.crash()
    rmSync(folder, { recursive: true, force: true })
    throw error
  }
  return server
}

/** What npm installed lacks its links (scripts are not run), and an unprivileged user may not be able to look into this folder. */
function reachable(bin: string, folder: string): string {
  if (bin.startsWith('/usr/')) return bin
  const native = join(folder, 'native')
  cpSync(dirname(bin), native, { recursive: true, verbatimSymlinks: true })
  const list = join(native, 'pg-symlinks.json')
  const links: { source: string; target: string }[] = existsSync(list) ? JSON.parse(readFileSync(list, 'utf8')) : []
  for (const { source, target } of links) {
    const [from, to] = [join(folder, source), join(folder, target)]
    if (!existsSync(to)) symlinkSync(relative(dirname(to), from), to)
  }
  execFileSync('chmod', ['-R', 'a+rX', native])
  return join(native, 'bin')
}

/** Whether it does, and not another one on the same port. */
async function answers(server: PostgresServer, data: string): Promise<boolean> {
  return server.sql('SHOW data_directory').then(
    ([directory]) => directory === data,
    () => false,
  )
}

/** The postmaster and its children. */
function processesOf(pid: number): number[] {
  let children = ''
  try {
    children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
  } catch {
    return [pid]
  }
  return [pid, ...children.split(' ').filter(Boolean).map(Number)]
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It ended by itself meanwhile.
  }
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

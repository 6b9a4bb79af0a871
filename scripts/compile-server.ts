// Runs the built server until it has answered a read, and keeps beside its script what V8 has compiled by then: the next start
// compiles none of it. Without that file a server starts as well, only slower.
// Usage: compile-server.ts FOLDER-OF-THE-BUILD
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Writable } from 'node:stream'
import v8 from 'node:v8'
import { setV8Flags } from '../src/lib/v8-flags.ts'
import {
  type CompiledScript,
  cacheFileOf,
  packCache,
  readScript,
  runScript,
} from '../src/programs/compiled/compiled-script.ts'

const dist = resolve(process.argv[2] ?? 'dist')
const fileOf = (name: string) => join(dist, `compiled/${name}.js`)
const file = fileOf('server')
const lmdb = { file: fileOf('lmdb'), entry: createRequire(import.meta.url).resolve('lmdb') }
const folder = mkdtempSync(join(tmpdir(), 'coffer-build-'))
const config = join(folder, 'server.hcl')
const withinMs = 180_000

/** As most run it: LMDB, a file for the audit, opened without people. */
function configure(): void {
  for (const name of ['data', 'audit']) mkdirSync(join(folder, name))
  const lines = [
    'listener "tcp" {\n  address = "127.0.0.1:0"\n  tls_disable = true\n}',
    `storage "lmdb" {\n  path = "${folder}/data"\n  min_free = "1MiB"\n}`,
    `seal "static" {\n  current_key_id = "build"\n  current_key = "${'00'.repeat(32)}"\n}`,
    `audit_file_directories = ["${folder}/audit"]`,
  ]
  writeFileSync(config, lines.join('\n'))
}

type Caller = (method: string, path: string, body?: object) => Promise<any>

const callerOf =
  (address: string, token = ''): Caller =>
  async (method, path, body) => {
    const headers = { 'X-Vault-Token': token, Connection: 'close' }
    const answer = await fetch(`${address}/v1/${path}`, {
      method,
      headers,
      ...(body && { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
    return text && JSON.parse(text)
  }

const environment = { PATH: process.env['PATH'] ?? '', HOME: folder, VAULT_LOG_LEVEL: 'error' }

/** The first server: makes a storage with a secret in it. Returns a token. */
async function fill(): Promise<string> {
  const child = spawn(process.execPath, [join(dist, 'coffer.js'), 'server', `-config=${config}`], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: { ...environment, COFFER_SUPERVISED: '1' },
  })
  const gone = new Promise<void>((done) => child.once('exit', () => done()))
  try {
    const address = await new Promise<string>((done, fail) => {
      child.on('message', (message: any) => done(message.address))
      child.once('exit', (status) => fail(new Error(`the server ended with ${status}`)))
    })
    const made = await callerOf(address)('PUT', 'sys/init', { recovery_shares: 1, recovery_threshold: 1 })
    const call = callerOf(address, made.root_token)
    await until(async () => !(await callerOf(address)('GET', 'sys/seal-status')).sealed)
    await call('PUT', 'sys/audit/file', { type: 'file', options: { file_path: `${folder}/audit/audit.log` } })
    await call('POST', 'sys/mounts/secret', { type: 'kv', options: { version: '2' } })
    await call('POST', 'secret/data/build', { data: { value: 'x' } })
    await call('PUT', 'sys/policies/acl/build', { policy: 'path "secret/*" { capabilities = ["read"] }' })
    return (await call('POST', 'auth/token/create', { policies: ['build'] })).auth.client_token
  } finally {
    child.kill('SIGTERM')
    await gone
  }
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((done) => setTimeout(done, 10))
}

/** The second one, in this process: starts, reads, and is compiled by then. Writes what V8 made of the scripts. */
async function compile(token: string): Promise<void> {
  for (const name of [file, lmdb.file]) rmSync(cacheFileOf(name), { force: true })
  // V8 takes a compiled form only under the flags under which it was made. A server starts under none, and has set its own before
  // it opens LMDB.
  const { setFlagsFromString } = v8
  v8.setFlagsFromString = () => undefined
  // What was compiled and not used for a while is else dropped.
  setFlagsFromString('--no-flush-bytecode')
  const scripts = [file, lmdb.file].map((name) => ({ name, ...readScript(name) }))
  const [server, database] = scripts
  if (!server || !database) return
  let opened: unknown
  const later = async (name: string) => {
    if (name !== 'lmdb') return import(name)
    opened ??= runScript(database, lmdb.entry, later)
    return opened
  }
  const { program }: any = runScript(server, file, later)
  const stop = new AbortController()
  let said = ''
  const stdout = new Writable({ write: (text, _, done) => done(void (said += text)) })
  const io = { stdin: process.stdin, stdout, stderr: process.stderr, env: environment, cwd: folder, stop: stop.signal }
  const ended: Promise<number> = program.run([`-config=${config}`], { ...io, onReload: () => undefined })
  let address: string | undefined
  await until(async () => {
    address = /127\.0\.0\.1:[1-9]\d*/.exec(said)?.[0]
    return address !== undefined
  })
  await callerOf(`http://${address}`, token)('GET', 'secret/data/build')
  setFlagsFromString('--flush-bytecode')
  v8.setFlagsFromString = setFlagsFromString
  keep(server)
  setV8Flags()
  keep(database)
  stop.abort(new Error('compiled'))
  await ended
}

function keep({ name, source, script }: CompiledScript & { readonly name: string }): void {
  writeFileSync(cacheFileOf(name), packCache(source, script.createCachedData()))
}

/** A process like those that start servers takes it. */
function prove(): void {
  const source = (path: string) => JSON.stringify(new URL(`../src/${path}.ts`, import.meta.url).href)
  const code = `
    const { readScript } = await import(${source('programs/compiled/compiled-script')})
    const { setV8Flags } = await import(${source('lib/v8-flags')})
    const [server, database] = process.argv.slice(1)
    if (!readScript(server).cached) throw new Error('V8 refuses what it compiled of the server')
    setV8Flags()
    if (!readScript(database).cached) throw new Error('V8 refuses what it compiled of lmdb')`
  const node = ['--import', 'tsx', '--input-type=module', '-e', code, file, lmdb.file]
  execFileSync(process.execPath, node, { stdio: 'inherit' })
}

const late = setTimeout(() => end('it took too long'), withinMs)
try {
  configure()
  await compile(await fill())
  prove()
  end()
} catch (error) {
  end(error)
}

/** At once: a server that did not come to its end would keep this process. */
function end(error?: unknown): never {
  clearTimeout(late)
  rmSync(folder, { recursive: true, force: true })
  if (error === undefined) process.exit(0)
  for (const name of [file, lmdb.file]) rmSync(cacheFileOf(name), { force: true })
  console.error(error)
  process.exit(1)
}

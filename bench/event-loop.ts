/**
 * What large requests do to everyone else: one server process, LMDB, file audit on. A light, steady stream of small reads, timed
 * from when each was due, while one client after another sends policies of 1 MB, lists of a million keys and bodies of 32 MiB.
 * The delay of the server's event loop is its own metric; beside it what its main thread takes of a processor in one go, which a
 * busy machine hardly changes. Exits 1 beyond the limits (limits.ts), or when a small read was not answered; what was measured on
 * a busy machine is not judged. `--keys N` for a shorter list, `--seconds N` per shape, `--only part-of-a-name`, `--report` to
 * only print.
 */
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Agent } from 'node:http'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Stored } from '../src/server/contracts/storage.ts'
import { loopLimits } from './limits.ts'
import { type Send, sendWith } from './loop/send.ts'
import { type Shape, shapesFor } from './loop/shapes.ts'
import { pathOfThisNode } from './server/processes.ts'
import { openStorage } from './server/storage.ts'

const root = resolve(import.meta.dirname, '..')
const flag = (name: string, otherwise: number) =>
  process.argv.includes(`--${name}`) ? Number(process.argv[process.argv.indexOf(`--${name}`) + 1]) : otherwise
const keys = flag('keys', 1_000_000)
const seconds = flag('seconds', 4)
const only = process.argv.includes('--only') ? (process.argv[process.argv.indexOf('--only') + 1] ?? '') : ''
const readsPerSecond = 100
/** Quiet machines have 1 to 3. */
const busyMs = 4
const attempts = process.argv.includes('--report') ? 1 : 3

interface Server {
  readonly url: string
  readonly pid: number
  readonly child: ChildProcess
  /** See loop-cpu.mjs. */
  readonly goes: string
}
const agent = new Agent({ keepAlive: true })

const send = (sent: Send) => sendWith(agent, sent)

async function startServer(scratch: string): Promise<Server> {
  const config = join(scratch, 'server.hcl')
  writeFileSync(
    config,
    `listener "tcp" {\n  address = "127.0.0.1:0"\n  tls_disable = true\n}\nstorage "lmdb" {\n  path = "${scratch}/data"\n}\naudit_file_directories = ["${scratch}/audit"]\n`,
  )
  const goes = join(scratch, 'goes.json')
  const probe = `--import=${pathToFileURL(join(import.meta.dirname, 'loop/loop-cpu.mjs'))}`
  const child = spawn(join(root, 'bin/coffer'), ['server', `-config=${config}`], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: {
      ...{ PATH: pathOfThisNode(), NODE_OPTIONS: probe },
      ...{ COFFER_SUPERVISED: '1', VAULT_LOG_LEVEL: 'error', COFFER_BENCH_LOOP_CPU: goes },
    },
  })
  child.on('exit', (code, signal) => {
    if (code !== 0) console.error(`the server ended with ${code ?? signal}`)
  })
  const address = await new Promise<string>((done, fail) => {
    child.on('message', (message: { type?: string; address?: string }) => {
      if (message.type === 'ready') done(message.address ?? '')
    })
    child.on('exit', (code) => fail(new Error(`the server ended with ${code}`)))
  })
  return { url: address.startsWith('http') ? address : `http://${address}`, pid: child.pid ?? 0, child, goes }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((done) => child.once('exit', done))
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), 60_000)
  await ended
  clearTimeout(late)
}

/** Rows that only a list looks at, beside one that the engine wrote. */
async function fill(path: string): Promise<void> {
  const backend = await openStorage(path, { minFreeBytes: 1 })
  const rows: (readonly [string, Stored])[] = []
  let seed: readonly [string, Stored] | undefined
  for await (const row of backend.snapshot(new AbortController().signal)) {
    const value = Buffer.from(row[1].value)
    rows.push([row[0], { ...row[1], value }])
    if (row[0].endsWith('million/seed')) seed = rows.at(-1)
  }
  if (!seed) throw new Error('the seed of the list was not found')
  const [key, stored] = seed
  const folder = key.slice(0, -'seed'.length)
  const value = Buffer.from('{}')
  function* all() {
    yield* rows
    for (let i = 0; i < keys; i += 1) {
      yield [`${folder}key-${String(i).padStart(8, '0')}`, { value, version: stored.version }] as const
    }
  }
  await backend.replace(all(), keys * 100)
  await backend.close()
}

function expectStatus(sent: Send, ...statuses: number[]): () => Promise<void> {
  return async () => {
    const { status, text } = await send(sent)
    if (!statuses.includes(status)) throw new Error(`${sent.method} ${sent.path}: ${status} ${text.slice(0, 300)}`)
  }
}

const percentile = (sorted: readonly number[], p: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * p) / 100))] ?? 0

interface Delays {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** Since it was asked last. */
async function loopDelay(url: string, token: string): Promise<Delays> {
  const { text } = await send({ url, method: 'GET', path: 'sys/metrics?format=prometheus', token })
  const of = (name: string) => {
    const found = new RegExp(`^nodejs_eventloop_lag_${name}_seconds(?:\\{[^}]*\\})? (\\S+)`, 'm').exec(text)?.[1]
    if (found === undefined)
      throw new Error(`sys/metrics does not tell the delay of the event loop:\n${text.slice(0, 500)}`)
    return Number(found) * 1000
  }
  return { p50: of('p50'), p99: of('p99'), max: of('max') }
}

/** Of all the time, 99% is idle or in goes of at most so much; and the longest go. In ms of the main thread's processor. */
function shareOf(goes: readonly number[], ms: number): { readonly p99: number; readonly max: number } {
  const sorted = [...goes].sort((a, b) => b - a)
  let [over, p99] = [ms / 100, 0]
  for (const go of sorted) {
    over -= go
    if (over >= 0) continue
    p99 = go
    break
  }
  return { p99, max: sorted[0] ?? 0 }
}

/** From now until it is called. */
function watchGoes({ child, goes }: Server): () => Promise<{ readonly p99: number; readonly max: number }> {
  rmSync(goes, { force: true })
  child.kill('SIGUSR2')
  const begun = performance.now()
  return async () => {
    child.kill('SIGUSR2')
    const ms = performance.now() - begun
    for (let look = 0; look < 500 && !existsSync(goes); look += 1) await new Promise((done) => setTimeout(done, 10))
    return shareOf(JSON.parse(readFileSync(goes, 'utf8')), ms)
  }
}

/** 0 when it has ended: who asks it something learns that. */
function rssAnonMb(pid: number): number {
  try {
    return Number(/RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024
  } catch {
    return 0
  }
}

interface Judged {
  readonly good: boolean
  /** Of the event loop, p99, ms. */
  readonly delay: number
}

async function run(shape: Shape, server: Server, token: string, probe: ChildProcess): Promise<Judged> {
  const { url, pid } = server
  await ask(probe)
  await loopDelay(url, token)
  const watched = watchGoes(server)
  const end = performance.now() + seconds * 1000
  let [rounds, largest] = [0, 0]
  const watch = setInterval(() => {
    largest = Math.max(largest, rssAnonMb(pid))
  }, 50)
  try {
    do {
      for (const step of shape.steps) await step()
      if (shape.steps.length === 0) await new Promise((done) => setTimeout(done, seconds * 1000))
      rounds += 1
    } while (performance.now() < end)
  } finally {
    clearInterval(watch)
  }
  const loop = await loopDelay(url, token)
  const reads = [...(await ask(probe))].sort((a, b) => a - b)
  const goes = await watched()
  const good =
    loop.p99 < loopLimits.delay.fails &&
    goes.p99 < loopLimits.go.fails &&
    reads.length > 0 &&
    reads.every(Number.isFinite)
  const show = ({ p50, p99, max }: Delays) => [p50, p99, max].map((ms) => ms.toFixed(1).padStart(7)).join('')
  const small = { p50: percentile(reads, 50), p99: percentile(reads, 99), max: reads.at(-1) ?? 0 }
  console.log(
    `  ${good ? 'ok  ' : 'FAIL'} ${shape.name.padEnd(30)}${String(rounds).padStart(4)}  ${show(loop)}  ${[goes.p99, goes.max].map((ms) => ms.toFixed(1).padStart(6)).join('')}  ${show(small)}  ${largest.toFixed(0).padStart(5)} MB`,
  )
  return { good, delay: loop.p99 }
}

/** Whether another's load on the machine delays a server that serves nothing large. */
async function isBusy(server: Server, token: string, probe: ChildProcess): Promise<boolean> {
  const { delay } = await run({ name: '(beside it) nothing large', steps: [] }, server, token, probe)
  return delay >= busyMs
}

/** How long the small reads took since the last question, ms. */
function ask(probe: ChildProcess): Promise<readonly number[]> {
  return new Promise((done, fail) => {
    const gone = () => fail(new Error('the process that reads has ended'))
    if (!probe.connected) return gone()
    probe.once('exit', gone)
    probe.once('message', (message: (number | null)[]) => {
      probe.off('exit', gone)
      // JSON has no Infinity.
      done(message.map((ms) => ms ?? Number.POSITIVE_INFINITY))
    })
    probe.send('tell')
  })
}

/** In a process of its own: what the bench's client does must not delay it. */
function probing(url: string, token: string): void {
  let took: number[] = []
  process.on('message', () => {
    process.send?.(took)
    took = []
  })
  let due = performance.now()
  setInterval(() => {
    for (; due <= performance.now(); due += 1000 / readsPerSecond) {
      const from = due
      send({ url, method: 'GET', path: 'secret/data/small', token }).then(
        ({ status }) => took.push(status === 200 ? performance.now() - from : Number.POSITIVE_INFINITY),
        () => took.push(Number.POSITIVE_INFINITY),
      )
    }
  }, 2)
  process.on('disconnect', () => process.exit())
}

async function main(): Promise<boolean> {
  const scratch = mkdtempSync(join(tmpdir(), 'coffer-loop-'))
  const children: ChildProcess[] = []
  try {
    for (const name of ['data', 'audit']) mkdirSync(join(scratch, name))
    let server = await startServer(scratch)
    children.push(server.child)
    const call = async (method: string, path: string, token: string, body?: unknown) => {
      const { url } = server
      const answer = await send({ url, method, path, token, body: body === undefined ? '' : JSON.stringify(body) })
      if (answer.status >= 400) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`)
      return answer.text === '' ? {} : JSON.parse(answer.text)
    }
    const { keys: shares, root_token: token } = await call('PUT', 'sys/init', '', {
      secret_shares: 1,
      secret_threshold: 1,
    })
    const unseal = () => call('PUT', 'sys/unseal', '', { key: shares[0] })
    await unseal()
    await call('POST', 'sys/mounts/secret', token, { type: 'kv', options: { version: '2' } })
    await call('POST', 'secret/data/million/seed', token, { data: { a: '1' } })
    await call('POST', 'secret/data/small', token, { data: { password: 'x'.repeat(90) } })
    await call('PUT', 'sys/policies/acl/large', token, {
      policy: 'path "secret/data/small" { capabilities = ["read"] }',
    })
    await stop(server.child)
    await fill(join(scratch, 'data'))
    server = await startServer(scratch)
    children.push(server.child)
    await unseal()
    // Not before: a million keys are no audit lines.
    await call('PUT', 'sys/audit/file', token, {
      type: 'file',
      options: { file_path: join(scratch, 'audit/audit.log') },
    })
    const user = (await call('POST', 'auth/token/create', token, { policies: ['large'] })).auth.client_token
    const probe = fork(import.meta.filename, ['probe', server.url, token], { execArgv: process.execArgv })
    children.push(probe)
    console.log(`${seconds} s each, ${readsPerSecond} small reads a second; ms`)
    console.log(
      `       ${''.padEnd(30)}rounds   loop: p50    p99    max  cpu: p99   max  reads: p50    p99    max  RssAnon`,
    )
    let ok = true
    const shapes = shapesFor({ url: server.url, token, user, keys, expect: expectStatus }).filter(({ name }) =>
      name.includes(only),
    )
    if (shapes.length === 0) throw new Error(`no shape has "${only}" in its name`)
    for (const shape of shapes) {
      let { good } = await run(shape, server, token, probe)
      // Another's load can only spoil a measurement.
      for (let again = 1; !good && again < attempts; again += 1) good = (await run(shape, server, token, probe)).good
      if (!good && attempts > 1 && (await isBusy(server, token, probe))) {
        console.log(`       not judged: the machine is too busy`)
        good = true
      }
      ok &&= good
    }
    probe.disconnect()
    return ok
  } finally {
    agent.destroy()
    for (const child of children) await stop(child)
    rmSync(scratch, { recursive: true, force: true })
  }
}

const [, , mode, url = '', token = ''] = process.argv
if (mode === 'probe') probing(url, token)
else if (!(await main()) && !process.argv.includes('--report')) process.exitCode = 1

/**
 * KV v2 over loopback, one server process, LMDB with durable writes, file audit on, 32 connections, values of ten keys of
 * 90 bytes; against a bare node:http server in the same run. Median of five interleaved runs. Exits 1 below the
 * thresholds. `--seconds N` per run, `--report` to only print.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { hasWrk, type Load, load, type Outcome } from './load.ts'

const root = resolve(import.meta.dirname, '..')
const thresholds = { read: 0.11, write: 0.07, rssAnonMb: 100 }
const flag = (name: string) => process.argv[process.argv.indexOf(`--${name}`) + 1]
const seconds = process.argv.includes('--seconds') ? Number(flag('seconds')) : 3
const runs = 5
/** A measurement on a shared machine may be a bad one. */
const attempts = process.argv.includes('--report') ? 1 : 4

const scratch = mkdtempSync(join(tmpdir(), 'coffer-bench-'))
const children: ChildProcess[] = []
const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

async function startServer(): Promise<{ url: string; pid: number }> {
  for (const name of ['data', 'audit']) mkdirSync(join(scratch, name))
  const config = join(scratch, 'server.hcl')
  writeFileSync(
    config,
    `listener "tcp" {\n  address = "127.0.0.1:0"\n  tls_disable = true\n}\nstorage "lmdb" {\n  path = "${scratch}/data"\n}\naudit_file_directories = ["${scratch}/audit"]\n`,
  )
  const child = spawn(process.execPath, [join(root, 'bin/coffer'), 'server', `-config=${config}`], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: { PATH: process.env['PATH'], COFFER_SUPERVISED: '1', VAULT_LOG_LEVEL: 'error' },
  })
  children.push(child)
  const address = await new Promise<string>((done, fail) => {
    child.on(
      'message',
      (message: { type?: string; address?: string }) => message.type === 'ready' && done(message.address ?? ''),
    )
    child.on('exit', (code) => fail(new Error(`the server ended with ${code}`)))
  })
  return { url: address.startsWith('http') ? address : `http://${address}`, pid: child.pid ?? 0 }
}

async function startBare(answer: string): Promise<string> {
  const file = join(scratch, 'answer.json')
  writeFileSync(file, answer)
  const child = spawn(process.execPath, [join(root, 'bench/bare-server.mjs'), file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  const port = await new Promise<string>((done) => child.stdout?.once('data', (data) => done(String(data).trim())))
  return `http://127.0.0.1:${port}`
}

async function call(
  url: string,
  method: string,
  path: string,
  token: string,
  body?: unknown,
): Promise<{ status: number; text: string }> {
  const answer = await fetch(`${url}/v1/${path}`, {
    method,
    headers: { 'X-Vault-Token': token },
    body: body === undefined ? undefined : JSON.stringify(body),
  })
  const text = await answer.text()
  if (answer.status >= 400) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
  return { status: answer.status, text }
}

const cpuSeconds = (pid: number) => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / 100
}
const rssAnonMb = (pid: number) =>
  Number(/RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024

async function main(): Promise<boolean> {
  const { url, pid } = await startServer()
  const init: { keys: string[]; root_token: string } = JSON.parse(
    (await call(url, 'PUT', 'sys/init', '', { secret_shares: 1, secret_threshold: 1 })).text,
  )
  const token = init.root_token
  await call(url, 'PUT', 'sys/unseal', '', { key: init.keys[0] })
  await call(url, 'PUT', 'sys/audit/file', token, {
    type: 'file',
    options: { file_path: join(scratch, 'audit/audit.log') },
  })
  await call(url, 'POST', 'sys/mounts/secret', token, { type: 'kv', options: { version: '2' } })
  const data = Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`key${n}`, String(n).repeat(90)]))
  const body = JSON.stringify({ data })
  await call(url, 'POST', 'secret/data/bench/read', token, { data })
  const answer = (await call(url, 'GET', 'secret/data/bench/read', token)).text
  const written = (await call(url, 'POST', 'secret/data/bench/write', token, { data })).text
  const bareRead = await startBare(answer)
  const bareWrite = await startBare(written)

  const headers = { 'X-Vault-Token': token }
  const common = { headers, connections: 32, seconds }
  const scenarios: Record<string, Load> = {
    read: { ...common, url: `${url}/v1/secret/data/bench/read` },
    'bare GET': { ...common, url: `${bareRead}/v1/secret/data/bench/read` },
    write: { ...common, url: `${url}/v1/secret/data/bench`, body, keys: 20_000 },
    'bare POST': { ...common, url: `${bareWrite}/v1/secret/data/bench`, body, keys: 20_000 },
  }
  // Steady state is measured: V8 compiles the hot path during the first seconds of each kind of request.
  for (const scenario of Object.values(scenarios)) await load({ ...scenario, seconds: 3 }, scratch)
  // These machines are shared: another's load can only spoil a measurement, so a bad one is repeated, and every one is printed.
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    const results = await measure(scenarios, pid)
    if (report(results, rssAnonMb(pid))) return true
    if (attempt < attempts) console.log(`  below a threshold: measured again (${attempt} of ${attempts - 1})`)
  }
  return false
}

type Measured = Record<string, (Outcome & { cpuMicros: number })[]>

async function measure(scenarios: Record<string, Load>, pid: number): Promise<Measured> {
  const results: Measured = {}
  for (let run = 0; run < runs; run += 1) {
    for (const [name, scenario] of Object.entries(scenarios)) {
      const before = cpuSeconds(pid)
      const outcome = await load(scenario, scratch)
      const cpuMicros = ((cpuSeconds(pid) - before) * 1e6) / (outcome.perSecond * seconds)
      const list = results[name] ?? []
      list.push({ ...outcome, cpuMicros })
      results[name] = list
    }
  }
  return results
}

function report(results: Measured, rss: number): boolean {
  const rate = (name: string) => median((results[name] ?? []).map((r) => r.perSecond))
  console.log(
    `KV v2, ten keys of 90 bytes, file audit on, 32 connections, ${runs} interleaved runs of ${seconds} s, ${hasWrk() ? 'wrk' : 'autocannon'}`,
  )
  for (const [name, outcomes] of Object.entries(results)) {
    const cpu = name.startsWith('bare') ? '' : `, ${median(outcomes.map((o) => o.cpuMicros)).toFixed(0)} µs CPU each`
    const errors = outcomes.reduce((sum, o) => sum + o.errors, 0)
    console.log(
      `  ${name.padEnd(10)} ${rate(name).toFixed(0).padStart(7)}/s  p99 ${median(outcomes.map((o) => o.p99Ms)).toFixed(1)} ms${cpu}, ${errors} errors`,
    )
  }
  const errors = Object.values(results)
    .flat()
    .reduce((sum, o) => sum + o.errors, 0)
  const checks = [
    ['reads / bare GET', rate('read') / rate('bare GET'), thresholds.read, true],
    ['writes / bare POST', rate('write') / rate('bare POST'), thresholds.write, true],
    ['RssAnon after it, MB', rss, thresholds.rssAnonMb, false],
    ['errors', errors, 1, false],
  ] as const
  let ok = true
  for (const [name, value, limit, atLeast] of checks) {
    const good = atLeast ? value >= limit : value < limit
    ok &&= good
    console.log(`  ${good ? 'ok  ' : 'FAIL'} ${name} ${value.toFixed(3)} (${atLeast ? 'at least' : 'below'} ${limit})`)
  }
  return ok
}

try {
  const ok = await main()
  process.exitCode = ok || process.argv.includes('--report') ? 0 : 1
} finally {
  for (const child of children) child.kill('SIGTERM')
  await Promise.all(children.map((child) => child.exitCode ?? new Promise((done) => child.once('exit', done))))
  rmSync(scratch, { recursive: true, force: true })
}

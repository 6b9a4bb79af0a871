import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { FakeClock } from '../../lib/fake-clock.ts'
import { envelopeOf } from '../../sdk/fake-transport.ts'
import type { TransportRequest, TransportResponse } from '../../sdk/transport.ts'
import { type CliRun, runFake } from '../fake-context.ts'

const base = mkdtempSync(join(tmpdir(), 'coffer-debug-'))
afterAll(() => rmSync(base, { recursive: true, force: true }))
let clock: FakeClock
let output: string
beforeEach(() => {
  clock = new FakeClock()
  output = join(mkdtempSync(join(base, 'run-')), 'bundle')
})

const answers: Readonly<Record<string, () => Partial<TransportResponse>>> = {
  'sys/health': () => ({ status: 429, body: '{"version":"2.6.0","standby":true}' }),
  'sys/seal-status': () => ({ body: '{"sealed":false}' }),
  'sys/config/state/sanitized': () => envelopeOf({ data: { log_level: 'info' } }),
  'sys/host-info': () => envelopeOf({ data: { cpu: [1] } }),
  'sys/replication/status': () => envelopeOf({ data: { dr: { mode: 'disabled' } } }),
  'sys/metrics': () => ({ body: '{"Gauges":[]}' }),
  'sys/in-flight-req': () => ({ body: '{"r1":{"request_path":"/v1/a"}}' }),
  'sys/monitor': () => ({ body: 'one\ntwo\n' }),
}
const server = ({ path }: TransportRequest) =>
  answers[path.replace('/v1/', '').replace(/\?.*/, '')]?.() ?? { status: 404, body: '{"errors":[]}' }

async function capture(
  flags: readonly string[],
  more: { readonly answer?: typeof server; readonly ms?: number; readonly signal?: AbortSignal } = {},
): Promise<CliRun> {
  const running = runFake(['debug', `-output=${output}`, ...flags], {
    clock,
    answer: more.answer ?? server,
    env: { VAULT_TOKEN: 'canary-token', VAULT_ADDR: 'http://ada:canary-pw@127.0.0.1:8200' },
    ...(more.signal && { signal: more.signal }),
  })
  await clock.advance(more.ms ?? 11_001)
  return running
}
const json = (name: string) => JSON.parse(readFileSync(join(output, name), 'utf8'))

describe('debug', () => {
  it('records everything, as often as asked, and says so in its index', async () => {
    const flags = ['-compress=false', '-duration=10s', '-interval=5s', '-metrics-interval=10s']
    const { status, out, err } = await capture(flags)
    expect([status, err]).toEqual([0, ''])
    expect(out).not.toContain('canary')
    expect(out).toContain('        Server Version: 2.6.0\n')
    expect(out).toContain(`Success! Bundle written to: ${output}\n`)
    const files = [
      'config.json',
      'host_info.json',
      'metrics.json',
      'replication_status.json',
      'requests.json',
      'server_status.json',
      'vault.log',
    ]
    expect(readdirSync(output).sort()).toEqual([...files, 'index.json'].sort())
    expect(json('index.json')).toMatchObject({
      version: 1,
      vault_address: 'http://ada:***@127.0.0.1:8200',
      server_version: '2.6.0',
      timestamp: '2026-01-02T03:04:05Z',
      duration_seconds: 10,
      interval_seconds: 5,
      metrics_interval_seconds: 10,
      compress: false,
      output: { files },
      errors: [],
    })
    expect([json('host_info.json').length, json('metrics.json').length]).toEqual([3, 2])
    expect(json('config.json')).toEqual({ log_level: 'info' })
    expect(json('server_status.json')[1]).toEqual({
      timestamp: '2026-01-02T03:04:10Z',
      health: { version: '2.6.0', standby: true },
      seal: { sealed: false },
    })
    expect(readFileSync(join(output, 'vault.log'), 'utf8')).toBe('one\ntwo\n')
  })

  it('makes one file that tar reads, for its owner only, and keeps no folder', async () => {
    const { status, out } = await capture(['-duration=5s', '-header=Authorization=canary-header'])
    expect([status, out]).toEqual([0, expect.stringContaining(`Bundle written to: ${output}.tar.gz`)])
    expect(existsSync(output)).toBe(false)
    expect(statSync(`${output}.tar.gz`).mode & 0o777).toBe(0o600)
    const listed = execFileSync('tar', ['-tzf', `${output}.tar.gz`]).toString()
    expect(listed.split('\n').slice(0, 2)).toEqual(['bundle/', 'bundle/config.json'])
    const metrics = execFileSync('tar', ['-xzOf', `${output}.tar.gz`, 'bundle/metrics.json']).toString()
    expect(JSON.parse(metrics)).toEqual([{ Gauges: [] }, { Gauges: [] }])
    const whole = execFileSync('tar', ['-xzOf', `${output}.tar.gz`]).toString()
    expect(whole).not.toContain('canary')
  })

  it('notes what the token may not read, and goes on', async () => {
    const answer: typeof server = (request) =>
      request.path.includes('host-info') ? { status: 403, body: '{"errors":["permission denied"]}' } : server(request)
    await capture(['-compress=false', '-duration=5s', '-target=host,metrics', '-target=pprof'], { answer })
    const { errors, targets } = json('index.json')
    expect(targets).toEqual(['host', 'metrics'])
    expect(errors[0]).toMatchObject({ target: 'host', error: expect.stringContaining('permission denied') })
    expect(readdirSync(output).sort()).toEqual(['index.json', 'metrics.json'])
  })

  it('ends early when it is interrupted, with what there is', async () => {
    const stop = new AbortController()
    clock.after(6000, () => stop.abort(new Error('SIGINT')))
    const { status } = await capture(['-compress=false', '-target=metrics'], { signal: stop.signal })
    expect([status, json('metrics.json').length]).toEqual([0, 1])
  })

  it('raises what is too short and says so', async () => {
    const { out } = await capture(['-duration=1s', '-interval=1h', '-compress=false'])
    expect(out).toContain('Overwriting duration value "1s" to "5s"\n')
    expect(out).toContain('Overwriting interval value "1h0m0s" to "5s"\n')
  })

  it('makes the folders above its own, and says when it cannot', async () => {
    output = join(output, 'a', 'b')
    expect((await capture(['-compress=false', '-duration=5s'])).status).toBe(0)
    expect(statSync(output).mode & 0o777).toBe(0o700)
    output = '/proc/nowhere/bundle'
    expect(await capture([])).toMatchObject({ status: 1, err: expect.stringContaining('unable to create output') })
  })

  it('overwrites nothing, and asks a server that is there', async () => {
    writeFileSync(`${output}.tar.gz`, '')
    expect(await capture([])).toMatchObject({ status: 1, err: expect.stringContaining('output file already exists') })
    const away = await capture([], { answer: () => ({ status: 500, body: '{"errors":["broken"]}' }) })
    expect([away.status, away.err]).toEqual([2, expect.stringContaining('unable to connect to the server')])
    expect((await capture(['-log-format=xml'])).status).toBe(1)
    expect((await capture(['-target=pprof'])).status).toBe(1)
  })
})

import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FakeClock } from '../../../../lib/fake-clock.ts'
import type { JsonObject } from '../../../../lib/json/value.ts'
import { silentLog } from '../../../../lib/log.ts'
import { systemRandom } from '../../../../lib/random.ts'
import { AuditBroker } from '../../../audit/broker/audit-broker.ts'
import type { AuditDeviceType } from '../../../contracts/devices.ts'
import { runOperation } from '../../../contracts/fake-call.ts'
import { FakeRows } from '../../../contracts/fake-rows.ts'
import type { Verb } from '../../../contracts/request.ts'
import { auditRoutes } from './audit.ts'

let rows: FakeRows
let broker: AuditBroker
const out = new PassThrough()
const memory: AuditDeviceType = {
  type: 'file',
  options: ['file_path'],
  async open() {
    return { type: 'file', write: async (lines) => void out.write(Buffer.concat(lines)), close: async () => {} }
  },
}
beforeEach(() => {
  rows = new FakeRows()
  broker = new AuditBroker({
    rows,
    clock: new FakeClock(),
    random: systemRandom,
    log: silentLog,
    devices: { file: memory },
    node: 'n',
  })
})
afterEach(() => broker.close())

const run = (path: string, verb: Verb, params: Record<string, string> = {}, input: JsonObject = {}) => {
  const route = auditRoutes(broker).find((known) => known.path === path)
  if (!route) throw new Error(`no route ${path}`)
  return runOperation(route, verb, { storage: rows.view('x/'), params, input })
}

describe('sys/audit', () => {
  it('lists what was enabled, by path, also at the top level, and forgets what was disabled', async () => {
    expect(await run('audit', 'read')).toEqual({ kind: 'data', data: {}, topLevel: true })
    const input = { type: 'file', description: 'd', options: { file_path: 'stdout' } }
    expect(await run('audit/{path...}', 'update', { path: 'f' }, input)).toEqual({ kind: 'none' })
    expect(await run('audit', 'read')).toMatchObject({
      data: { 'f/': { path: 'f/', type: 'file', description: 'd', options: { file_path: 'stdout' }, local: false } },
    })
    expect(await run('audit/{path...}', 'delete', { path: 'f' })).toEqual({ kind: 'none' })
    expect(await run('audit/{path...}', 'delete', { path: 'f' })).toEqual({ kind: 'none' })
    expect(await run('audit', 'read')).toMatchObject({ data: {} })
  })

  it.each([
    [{}, 'backend type must be specified as a string'],
    [{ type: 'nosuch' }, 'unknown backend type: "nosuch"'],
    [{ type: 'file', options: { format: 'jsonx' } }, /^format "jsonx" is not supported/],
    [
      { type: 'file', options: { colour: 'red' } },
      /^unknown option "colour" of an audit device of type file; accepted are file_path, log_raw/,
    ],
  ])('refuses %j', async (input, message) => {
    await expect(run('audit/{path...}', 'update', { path: 'f' }, input)).rejects.toMatchObject({
      status: 400,
      message: typeof message === 'string' ? message : expect.stringMatching(message),
    })
  })

  it('all of it is for sudo, in the root namespace, but for hashes', () => {
    const operations = auditRoutes(broker).flatMap(({ path, on }) =>
      Object.values(on).map((one) => [path, one] as const),
    )
    for (const [path, { access, namespaces }] of operations) {
      expect(namespaces, path).toBe('root')
      expect(access, path).toBe(path.startsWith('audit-hash') ? undefined : 'sudo')
    }
  })
})

describe('sys/audit-hash', () => {
  it('says what the device writes', async () => {
    await broker.enable('f', { type: 'file' })
    const hash = await broker.hash('f', 'x')
    expect(await run('audit-hash/{path...}', 'update', { path: 'f' }, { input: 'x' })).toEqual({
      kind: 'data',
      data: { hash },
      topLevel: true,
    })
  })

  it('refuses an unknown device and no input', async () => {
    const asked = run('audit-hash/{path...}', 'update', { path: 'f' }, { input: 'x' })
    await expect(asked).rejects.toMatchObject({ status: 400, message: 'unknown audit backend "f/"' })
    const empty = run('audit-hash/{path...}', 'update', { path: 'f' })
    await expect(empty).rejects.toMatchObject({ status: 400, message: 'the "input" parameter is empty' })
  })
})

describe('sys/config/auditing/request-headers', () => {
  const one = 'config/auditing/request-headers/{header}'

  it('are written, read by the name that was asked for, listed, and deleted', async () => {
    expect(await run(one, 'update', { header: 'X-Forwarded-For' }, { hmac: true })).toEqual({ kind: 'none' })
    await run(one, 'update', { header: 'X-Plain' })
    expect(await run(one, 'read', { header: 'X-FORWARDED-FOR' })).toEqual({
      kind: 'data',
      data: { 'X-FORWARDED-FOR': { hmac: true } },
      topLevel: true,
    })
    expect(await run('config/auditing/request-headers', 'read')).toMatchObject({
      data: { headers: { 'x-forwarded-for': { hmac: true }, 'x-plain': { hmac: false } } },
      topLevel: true,
    })
    await run(one, 'delete', { header: 'x-plain' })
    await expect(run(one, 'read', { header: 'x-plain' })).rejects.toMatchObject({
      status: 400,
      message: 'Could not find header in config',
    })
    await expect(run(one, 'read', { header: '__proto__' })).rejects.toMatchObject({ status: 400 })
  })

  it.each(['a b', 'x:y', 'é', 'x'.repeat(300)])('name %j is refused', async (header) => {
    await expect(run(one, 'update', { header })).rejects.toMatchObject({ status: 400 })
  })

  it.each(['X-Vault-Token', 'Authorization', 'cookie'])('%s is recorded as a hash only', async (header) => {
    await expect(run(one, 'update', { header })).rejects.toMatchObject({ status: 400 })
    await run(one, 'update', { header }, { hmac: true })
  })
})

describe('sys/coffer/audit', () => {
  it('says how each device does', async () => {
    await broker.enable('f', { type: 'file' })
    expect(await run('coffer/audit', 'read')).toMatchObject({
      data: {
        devices: {
          'f/': {
            type: 'file',
            state: 'ok',
            lines_written: 0,
            lines_dropped: 0,
            failed_writes: 0,
            waiting: 0,
            last_error: '',
          },
        },
      },
    })
  })

  it('gives what proves the files, and a checkpoint when asked', async () => {
    expect(await run('coffer/audit/evidence', 'read')).toMatchObject({
      data: { public_key: '', chain_key: '', chains: [] },
    })
    await broker.enable('f', { type: 'file' })
    const request = {
      id: 'r',
      at: 0,
      operation: 'read',
      path: 'p',
      namespace: { id: 'root', path: '' },
      data: undefined,
      headers: {},
    }
    await broker.request({ ...request, remote: { address: '', port: 0 }, wrapTtlMs: 0 })
    expect(await run('coffer/audit/checkpoint', 'update')).toEqual({ kind: 'none' })
    expect(String(out.read())).toContain('"event":"checkpoint"')
    expect(await run('coffer/audit/evidence', 'read')).toMatchObject({
      data: {
        public_key: expect.stringMatching(/^ed25519:[A-Za-z0-9_-]{43}$/),
        chain_key: expect.stringMatching(/^[A-Za-z0-9+/]{43}=$/),
        chains: [
          { chain: expect.any(String), device: 'f/', node: 'n', opened: expect.stringMatching(/Z$/), closed: false },
        ],
      },
    })
  })
})

import { createHmac } from 'node:crypto'
import { afterEach, describe, expect, it } from 'vitest'
import { FakeClock } from '../../../lib/fake-clock.ts'
import { JsonNumber, RawJson } from '../../../lib/json/value.ts'
import { silentLog } from '../../../lib/log.ts'
import { systemRandom } from '../../../lib/random.ts'
import type { AuditedAuth, AuditedRequest, AuditedResponse } from '../../contracts/audit.ts'
import type { AuditDevice, AuditDeviceType } from '../../contracts/devices.ts'
import { epochKey } from '../../contracts/epochs.ts'
import { fakeMount } from '../../contracts/fake-call.ts'
import { FakeRows } from '../../contracts/fake-rows.ts'
import type { MountInfo } from '../../contracts/request.ts'
import { AuditBroker } from './audit-broker.ts'
import { readEvidence } from './audit-rows.ts'

/** A device in memory that can refuse, hang, or be opened badly. */
class MemoryDevice implements AuditDevice {
  readonly type = 'memory'
  readonly groups: string[][] = []
  mode: 'ok' | 'refuse' | 'hang' = 'ok'
  release: (() => void) | undefined
  closed = 0
  reopened = 0

  async write(lines: readonly Uint8Array[]): Promise<void> {
    if (this.mode === 'refuse') throw new Error('disk full')
    if (this.mode === 'hang') await new Promise<void>((resolve) => (this.release = resolve))
    this.groups.push(lines.map((line) => Buffer.from(line).toString()))
  }

  async reopen() {
    this.reopened += 1
  }

  async close() {
    this.closed += 1
  }

  get lines() {
    return this.groups.flat()
  }

  get records(): Record<string, any>[] {
    return this.lines.map((line) => JSON.parse(line.slice(line.indexOf('{')))).filter((r) => r.type !== 'chain')
  }
}

const brokers: AuditBroker[] = []
afterEach(async () => {
  for (const broker of brokers.splice(0)) await broker.close()
})

const setUp = (rows = new FakeRows()) => {
  const memory = new Map<string, MemoryDevice>()
  let openable = true
  const type: AuditDeviceType = {
    type: 'memory',
    async open(options) {
      if (!openable) throw new Error('no such folder')
      const name = options['name'] ?? 'one'
      const device = memory.get(name) ?? new MemoryDevice()
      memory.set(name, device)
      return device
    },
  }
  const clock = new FakeClock()
  const broker = new AuditBroker({
    rows,
    clock,
    random: systemRandom,
    log: silentLog,
    devices: { memory: type },
    node: 'n1',
  })
  brokers.push(broker)
  const device = (name = 'one') => memory.get(name) as MemoryDevice
  return { rows, clock, broker, device, setOpenable: (value: boolean) => (openable = value) }
}

const mount = (config: Partial<MountInfo['config']> = {}): MountInfo =>
  fakeMount({ accessor: 'kv_1', options: { version: '2' }, config: { ...fakeMount().config, ...config } })
const auth: AuditedAuth = {
  clientToken: 'hvs.canary-token',
  accessor: 'canary-accessor',
  displayName: 'kubernetes-default-my-app',
  policies: ['app', 'default'],
  tokenPolicies: ['app', 'default'],
  identityPolicies: [],
  noDefaultPolicy: false,
  policyResults: { allowed: true, granting: [{ name: 'app', namespace: { id: 'root', path: '' }, type: 'acl' }] },
  metadata: { role: 'my-app-role' },
  entityId: '',
  tokenType: 'service',
  tokenTtlMs: 3_600_000,
  tokenIssuedAt: Date.UTC(2026, 0, 1),
  remainingUses: 0,
}
const request = (more: Partial<AuditedRequest> = {}): AuditedRequest => ({
  id: 'r1',
  at: Date.UTC(2026, 0, 2),
  operation: 'update',
  path: 'secret/data/app',
  namespace: { id: 'root', path: '' },
  mount: mount(),
  data: { data: new RawJson('{"password":"canary-value","n":12345678901234567890}'), options: { cas: 1 } },
  headers: { 'user-agent': 'curl', 'x-correlation-id': 'abc' },
  remote: { address: '127.0.0.1', port: 5555 },
  wrapTtlMs: 0,
  auth,
  ...more,
})
const response = (more: Partial<AuditedResponse> = {}): AuditedResponse => ({
  at: Date.UTC(2026, 0, 2, 0, 0, 1),
  data: { version: 1, created_time: 'x' },
  warnings: [],
  ...more,
})

describe('a line', () => {
  it('says who, what, when in the fields of Vault, with every string value of the data hashed', async () => {
    const { broker, device } = setUp()
    await broker.enable('mem', { type: 'memory' })
    await broker.request(request())
    const [line] = device().records
    const hash = (text: string) => broker.hash('mem', text)
    expect(line).toMatchObject({
      time: '2026-01-02T00:00:00.000Z',
      type: 'request',
      auth: {
        client_token: await hash('hvs.canary-token'),
        accessor: await hash('canary-accessor'),
        display_name: 'kubernetes-default-my-app',
        policies: ['app', 'default'],
        token_policies: ['app', 'default'],
        policy_results: { allowed: true, granting_policies: [{ name: 'app', namespace_id: 'root', type: 'acl' }] },
        metadata: { role: 'my-app-role' },
        token_type: 'service',
        token_ttl: 3600,
        token_issue_time: '2026-01-01T00:00:00.000Z',
      },
      request: {
        id: 'r1',
        operation: 'update',
        mount_point: 'secret/',
        mount_type: 'kv',
        mount_accessor: 'kv_1',
        mount_class: 'secret',
        client_token: await hash('hvs.canary-token'),
        client_token_accessor: await hash('canary-accessor'),
        namespace: { id: 'root' },
        path: 'secret/data/app',
        data: { data: { password: await hash('canary-value') }, options: { cas: 1 } },
        remote_address: '127.0.0.1',
        remote_port: 5555,
      },
    })
    expect(device().lines.at(-1)).toContain('"n":12345678901234567890')
    expect(device().lines.join('')).not.toContain('canary')
    expect(line?.['request'].headers).toBeUndefined()
  })

  it('of a response carries the answer, its lease, its new token hashed, and the error', async () => {
    const { broker, device } = setUp()
    await broker.enable('mem', { type: 'memory' })
    const made = { ...auth, clientToken: 'hvs.canary-new', policyResults: undefined }
    await broker.response(
      request(),
      response({ leaseId: 'l/1', warnings: ['w'], auth: made, data: undefined, error: 'denied' }),
    )
    const [line] = device().records
    expect(line).toMatchObject({
      type: 'response',
      time: '2026-01-02T00:00:01.000Z',
      error: 'denied',
      response: {
        auth: { client_token: await broker.hash('mem/', 'hvs.canary-new') },
        secret: { lease_id: 'l/1' },
        warnings: ['w'],
        mount_type: 'kv',
      },
    })
    expect(device().lines.join('')).not.toContain('canary')
  })

  it('leaves the keys that the mount exempts in clear', async () => {
    const { broker, device } = setUp()
    await broker.enable('mem', { type: 'memory' })
    const exempting = mount({ auditNonHmacRequestKeys: ['role'], auditNonHmacResponseKeys: ['shown'] })
    const asked = request({ mount: exempting, data: { role: 'my-role', jwt: 'canary-jwt' } })
    await broker.exchange(asked, response({ data: { shown: 'plain', role: 'hidden' } }))
    const [first, second] = device().records
    expect(first?.['request'].data).toMatchObject({ role: 'my-role', jwt: expect.stringMatching(/^hmac-sha256:/) })
    expect(second?.['response'].data).toMatchObject({ shown: 'plain', role: expect.stringMatching(/^hmac-sha256:/) })
  })

  it('obeys log_raw, hmac_accessor, prefix and elide_list_responses', async () => {
    const { broker, device, clock } = setUp()
    const options = { log_raw: 'true', prefix: '@cee: ', elide_list_responses: 'true', name: 'raw' }
    await broker.enable('raw', { type: 'memory', options })
    await broker.enable('acc', { type: 'memory', options: { hmac_accessor: 'false', name: 'acc' } })
    const listing = request({ operation: 'list', data: undefined })
    await broker.response(listing, response({ data: { keys: ['a', 'b'], key_info: { a: {}, b: {}, c: {} } } }))
    await clock.advance(0)
    const [raw] = device('raw').records
    expect(device('raw').lines.every((line) => line.startsWith('@cee: {'))).toBe(true)
    expect(raw?.['auth'].client_token).toBe('hvs.canary-token')
    expect(raw?.['response'].data).toEqual({ keys: 2, key_info: 3 })
    const [hashed] = device('acc').records
    expect(hashed?.['auth'].accessor).toBe('canary-accessor')
    expect(hashed?.['auth'].client_token).toMatch(/^hmac-sha256:/)
    expect(hashed?.['response'].data.keys[0]).toMatch(/^hmac-sha256:/)
  })

  it('records the headers that were asked for', async () => {
    const { broker, device } = setUp()
    await broker.enable('mem', { type: 'memory' })
    await broker.setHeader('User-Agent', false)
    await broker.setHeader('X-Correlation-Id', true)
    await broker.request(request())
    expect(device().records[0]?.['request'].headers).toEqual({
      'user-agent': ['curl'],
      'x-correlation-id': [await broker.hash('mem', 'abc')],
    })
    await broker.setHeader('x-correlation-id', undefined)
    expect(await broker.headers()).toEqual({ 'user-agent': false })
  })

  it('keeps numbers as they came', async () => {
    const { broker, device } = setUp()
    await broker.enable('mem', { type: 'memory' })
    await broker.request(request({ data: { n: new JsonNumber('1.0'), list: ['x', 2, null, true] } }))
    expect(device().lines.at(-1)).toContain('"n":1.0')
  })
})

describe('refusal', () => {
  it('without devices everything passes', async () => {
    await setUp().broker.request(request())
  })

  it('when no device takes the line the request is refused with 500', async () => {
    const { broker, device } = setUp()
    await broker.enable('mem', { type: 'memory' })
    device().mode = 'refuse'
    await expect(broker.request(request())).rejects.toMatchObject({ status: 500 })
    device().mode = 'ok'
    await broker.request(request())
    expect(device().records).toHaveLength(1)
  })

  it('one device that takes it is enough, and gets it at once though another is blocked', async () => {
    const { broker, device } = setUp()
    await broker.enable('one', { type: 'memory', options: { name: 'one' } })
    await broker.enable('two', { type: 'memory', options: { name: 'two' } })
    device('one').mode = 'hang'
    for (let i = 0; i < 5; i += 1) await broker.request(request())
    expect(device('two').records).toHaveLength(5)
    device('one').mode = 'ok'
    device('one').release?.()
  })

  it('a blocked device fails its lines after the deadline, and at once from then on', async () => {
    const { broker, device, clock } = setUp()
    await broker.enable('mem', { type: 'memory' })
    await broker.request(request())
    device().mode = 'hang'
    const waiting = [broker.request(request()), broker.request(request())]
    const outcome = Promise.allSettled(waiting)
    await clock.advance(1999)
    await clock.advance(1)
    expect((await outcome).map((r) => r.status)).toEqual(['rejected', 'rejected'])
    await expect(broker.request(request())).rejects.toMatchObject({ status: 500 })
    device().mode = 'ok'
    device().release?.()
    await clock.advance(0)
    await broker.request(request())
  })

  it('a device that cannot be opened refuses, is tried again, and then works', async () => {
    const first = setUp()
    await first.broker.enable('mem', { type: 'memory' })
    const { broker, device, setOpenable, clock } = setUp(first.rows)
    setOpenable(false)
    await broker.refresh()
    await expect(broker.request(request())).rejects.toMatchObject({ status: 500 })
    await clock.advance(0)
    expect(broker.stats()).toMatchObject([{ state: 'not open', dropped: 1, lastError: 'no such folder' }])
    setOpenable(true)
    await clock.advance(1000)
    await expect(broker.request(request())).rejects.toMatchObject({ status: 500 })
    await clock.advance(0)
    await broker.request(request())
    expect(device().records).toHaveLength(1)
  })
})

describe('groups', () => {
  it('what comes in one turn goes out in one write, in order', async () => {
    const { broker, device } = setUp()
    await broker.enable('mem', { type: 'memory' })
    await broker.request(request())
    const before = device().groups.length
    await Promise.all(Array.from({ length: 50 }, (_, i) => broker.exchange(request({ id: `r${i}` }), response())))
    expect(device().groups.length - before).toBe(1)
    expect(
      device()
        .records.slice(1)
        .map((r) => r['request'].id),
    ).toEqual(Array.from({ length: 50 }, (_, i) => [`r${i}`, `r${i}`]).flat())
  })
})

describe('a turn with much to write', () => {
  it('hands its first lines to the device before the turn is over', async () => {
    const { broker, device } = setUp()
    await broker.enable('mem', { type: 'memory' })
    await broker.request(request())
    const before = device().groups.length
    let over = false
    setImmediate(() => (over = true))
    const writing = Array.from({ length: 16 }, (_, i) => broker.exchange(request({ id: `r${i}` }), response()))
    await Promise.all(writing)
    expect(over).toBe(false)
    expect(device().groups.length - before).toBe(1)
  })

  it('of less waits for the rest of the turn', async () => {
    const { broker, device } = setUp()
    await broker.enable('mem', { type: 'memory' })
    await broker.request(request())
    const before = device().groups.length
    let over = false
    setImmediate(() => (over = true))
    const early = Array.from({ length: 10 }, () => broker.exchange(request(), response()))
    await Promise.resolve()
    await Promise.all([...early, broker.exchange(request(), response())])
    expect(over).toBe(true)
    expect(device().groups.length - before).toBe(1)
  })
})

describe('lines of one holder', () => {
  const linesOf = async (requests: readonly AuditedRequest[]) => {
    const { broker, device } = setUp()
    await broker.enable('mem', { type: 'memory' })
    for (const asked of requests) await broker.exchange(asked, response())
    return device()
      .records.filter((record) => record['type'] === 'request')
      .map(({ auth, request }) => ({ auth, request }))
  }
  const granted = (name: string): AuditedAuth['policyResults'] => ({
    allowed: true,
    granting: [{ name, namespace: { id: 'root', path: '' }, type: 'acl' }],
  })

  it('say the same, to the letter, as without one: only what policy said and the uses left differ', async () => {
    const of = (holder: object | undefined) => [
      request({ auth: { ...auth, holder, policyResults: granted('a') } }),
      request({ auth: { ...auth, holder, policyResults: granted('b'), remainingUses: 2 } }),
      request({ auth: { ...auth, holder, policyResults: undefined } }),
    ]
    const all = await linesOf([...of({}), ...of(undefined)])
    const lines = all.slice(0, 3)
    expect(JSON.stringify(lines)).toBe(JSON.stringify(all.slice(3)))
    expect(lines.map(({ auth }) => auth.policy_results?.granting_policies[0].name)).toEqual(['a', 'b', undefined])
    expect(lines.map(({ auth }) => auth.remaining_uses)).toEqual([undefined, 2, undefined])
  })

  it('are not those of another', async () => {
    const other = { ...auth, clientToken: 'hvs.other', accessor: 'other', displayName: 'other', entityId: 'e2' }
    const [first, second] = await linesOf([
      request({ auth: { ...auth, holder: {} } }),
      request({ auth: { ...other, holder: {} } }),
    ])
    expect(second?.auth).toMatchObject({ display_name: 'other', entity_id: 'e2' })
    expect(second?.request.client_id).toBe('e2')
    for (const member of ['client_token', 'client_token_accessor']) {
      expect(first?.request[member]).toMatch(/^hmac-sha256:[0-9a-f]{64}$/)
      expect(second?.request[member]).not.toBe(first?.request[member])
    }
  })
})

const linksOf = (lines: readonly string[]) => lines.map((line) => JSON.parse(line.slice(line.indexOf('{'))))

describe('the chain', () => {
  it('vouches in each line for the bytes of the one before', async () => {
    const { rows, broker, device } = setUp()
    await broker.enable('mem', { type: 'memory' })
    for (let i = 0; i < 3; i += 1) await broker.exchange(request(), response())
    const evidence = await readEvidence(rows)
    const mac = (text: string) =>
      createHmac('sha256', evidence?.key ?? '')
        .update(text)
        .digest('hex')
    const links = linksOf(device().lines)
    expect(links.map((l) => l.seq)).toEqual([1, 2, 3, 4, 5, 6, 7])
    expect(links[0]).toMatchObject({ type: 'chain', event: 'opened', prev: mac(links[0].chain) })
    for (let i = 1; i < links.length; i += 1) expect(links[i].prev).toBe(mac(device().lines[i - 1]!.trimEnd()))
  })

  it('is recorded when opened, at most a second behind while written, and when closed', async () => {
    const { rows, broker, device, clock } = setUp()
    await broker.enable('mem', { type: 'memory' })
    await broker.request(request())
    const head = async () => (await readEvidence(rows))?.heads[0]
    expect(await head()).toMatchObject({ device: 'mem/', node: 'n1', seq: 0, closed: false })
    const commits = rows.commits
    for (let i = 0; i < 9; i += 1) await broker.request(request())
    expect(rows.commits).toBe(commits)
    await clock.advance(1000)
    expect(await head()).toMatchObject({ seq: 11, closed: false })
    await clock.advance(3000)
    expect(rows.commits, 'nothing new, nothing written').toBe(commits + 1)
    await broker.close()
    expect(await head()).toMatchObject({ seq: 12, closed: true })
    expect(linksOf(device().lines).at(-1)).toMatchObject({ type: 'chain', event: 'closed', seq: 12 })
    expect(device().closed).toBeGreaterThan(0)
  })

  it('a new one begins after a write that failed, and names the heads of the others', async () => {
    const { rows, broker, device, clock } = setUp()
    await broker.enable('mem', { type: 'memory' })
    await broker.request(request())
    await clock.advance(1000)
    device().mode = 'refuse'
    await expect(broker.request(request())).rejects.toThrow()
    device().mode = 'ok'
    await broker.request(request())
    const links = linksOf(device().lines)
    expect(new Set(links.map((l) => l.chain)).size).toBe(2)
    const opened = links.filter((l) => l.event === 'opened')[1]
    expect(opened.heads[links[0].chain]).toMatchObject({ seq: 2 })
    expect((await readEvidence(rows))?.heads).toHaveLength(2)
  })

  it('is not opened when storage is away: then the line is refused', async () => {
    const { rows, broker } = setUp()
    await broker.enable('mem', { type: 'memory' })
    rows.failing = new Error('storage away')
    await expect(broker.request(request())).rejects.toMatchObject({ status: 500 })
    rows.failing = undefined
    await broker.request(request())
  })
})

describe('devices', () => {
  it('are rows; enabling and disabling bumps the epoch, and other brokers follow at refresh', async () => {
    const { rows, broker, device } = setUp()
    const other = setUp(rows)
    const epoch = () => rows.rows.get(epochKey('root', 'audit'))?.version
    await broker.enable('/mem/', { type: 'memory', description: 'd', options: { name: 'one' } })
    const first = epoch()
    expect(first).toBeDefined()
    expect(await other.broker.list()).toEqual([
      { path: 'mem/', type: 'memory', description: 'd', options: { name: 'one' }, local: false },
    ])
    await other.broker.refresh()
    await other.broker.request(request())
    expect(other.device().records).toHaveLength(1)
    expect(await other.broker.hash('mem', 'x')).toBe(await broker.hash('mem', 'x'))
    await broker.disable('mem')
    expect(epoch()).not.toBe(first)
    await other.broker.refresh()
    await other.broker.request(request())
    expect(other.device().records).toHaveLength(1)
    expect(device().closed).toBeGreaterThan(0)
    await broker.disable('mem')
  })

  it.each([
    [{ type: 'syslog' }, 'unknown backend type: "syslog"'],
    [{ type: 'constructor' }, 'unknown backend type: "constructor"'],
    [{ type: 'memory', options: { log_raw: 'maybe' } }, 'log_raw must be true or false'],
    [
      { type: 'memory', options: { format: 'jsonx' } },
      'format "jsonx" is not supported: lines are written as JSON (format "json")',
    ],
  ])('%j is refused', async (options, message) => {
    const { broker, rows } = setUp()
    await expect(broker.enable('x', options)).rejects.toMatchObject({ status: 400, message })
    expect(rows.rows.size).toBe(0)
  })

  it('a path is used once, and hashes need a device', async () => {
    const { broker } = setUp()
    await broker.enable('mem', { type: 'memory' })
    await expect(broker.enable('mem/', { type: 'memory' })).rejects.toMatchObject({
      status: 400,
      message: 'path already in use',
    })
    await expect(broker.hash('f', 'x')).rejects.toMatchObject({ status: 400, message: 'unknown audit backend "f/"' })
  })

  it('reopen reaches them', async () => {
    const { broker, device } = setUp()
    await broker.enable('mem', { type: 'memory' })
    await broker.reopen()
    expect(device().reopened).toBe(1)
  })
})

describe('filters and the fallback', () => {
  const enable = (broker: AuditBroker, name: string, options: Record<string, string>) =>
    broker.enable(name, { type: 'memory', options: { name, ...options } })

  it('a device with a filter gets what fits; what none wants passes, or goes to the fallback', async () => {
    const { broker, device } = setUp()
    await enable(broker, 'reads', { filter: 'operation == read' })
    await broker.request(request())
    expect(device('reads').records).toHaveLength(0)
    await enable(broker, 'rest', { fallback: 'true' })
    await broker.request(request({ operation: 'read' }))
    await broker.exchange(request(), response())
    expect(device('reads').records.map((r) => r['request'].operation)).toEqual(['read'])
    expect(device('rest').records.map((r) => r['type'])).toEqual(['request', 'response'])
  })

  it('the fallback takes what the others refuse; when it refuses too the request is refused', async () => {
    const { broker, device } = setUp()
    await enable(broker, 'one', {})
    await enable(broker, 'rest', { fallback: 'true' })
    device('one').mode = 'refuse'
    await broker.request(request())
    expect(device('rest').records).toHaveLength(1)
    device('rest').mode = 'refuse'
    await expect(broker.request(request())).rejects.toMatchObject({ status: 500 })
  })

  it('there is one fallback, and it has no filter', async () => {
    const { broker } = setUp()
    await enable(broker, 'rest', { fallback: 'true' })
    await expect(enable(broker, 'other', { fallback: 'true' })).rejects.toMatchObject({
      status: 400,
      message: 'there is a fallback audit device already: rest/',
    })
    await broker.disable('rest')
    await enable(broker, 'other', { fallback: 'true' })
    await expect(enable(broker, 'x', { fallback: 'true', filter: 'path == a' })).rejects.toMatchObject({
      status: 400,
      message: 'cannot configure a fallback device with a filter',
    })
  })
})

describe('what a device did not take', () => {
  it('is counted, and told of in its own chain as soon as it takes lines again', async () => {
    const { broker, device, clock } = setUp()
    await broker.enable('mem', { type: 'memory', options: { name: 'mem' } })
    await broker.enable('two', { type: 'memory', options: { name: 'two' } })
    await broker.request(request())
    device('mem').mode = 'refuse'
    await broker.exchange(request(), response())
    await clock.advance(0)
    expect(broker.stats()).toMatchObject([
      { path: 'mem/', type: 'memory', state: 'ok', dropped: 2, failures: 1, lastError: 'disk full' },
      { path: 'two/', dropped: 0 },
    ])
    device('mem').mode = 'ok'
    await clock.advance(60_000)
    await broker.request(request())
    await clock.advance(0)
    const told = device('mem')
      .lines.map((line) => JSON.parse(line))
      .filter((line) => line.event === 'dropped')
    expect(told).toEqual([
      expect.objectContaining({ type: 'chain', lines: 2, from: expect.any(String), to: expect.any(String) }),
    ])
    await broker.request(request())
    await clock.advance(0)
    expect(device('mem').lines.filter((line) => line.includes('"dropped"'))).toHaveLength(1)
  })

  it('does not pile up: behind a blocked device nothing waits, one that keeps failing is left alone for a while', async () => {
    const { broker, device, clock, rows } = setUp()
    await broker.enable('mem', { type: 'memory' })
    await broker.request(request())
    device().mode = 'refuse'
    for (let i = 0; i < 3; i += 1) await expect(broker.request(request())).rejects.toThrow()
    const kept = rows.rows.size
    device().mode = 'ok'
    await expect(broker.request(request())).rejects.toThrow()
    expect(rows.rows.size, 'no row for each failure').toBe(kept)
    await clock.advance(200)
    await broker.request(request())
    device().mode = 'hang'
    const waiting = Promise.allSettled([broker.request(request())])
    await clock.advance(2000)
    await waiting
    for (let i = 0; i < 100; i += 1) await expect(broker.request(request())).rejects.toThrow()
    expect(broker.stats()).toMatchObject([{ state: 'blocked', waiting: 0 }])
    device().mode = 'ok'
    device().release?.()
    await clock.advance(0)
    expect(broker.stats()).toMatchObject([{ state: 'ok' }])
  })

  it('a queue has an end', async () => {
    const { broker, device } = setUp()
    await broker.enable('mem', { type: 'memory' })
    await broker.request(request())
    device().mode = 'hang'
    const big = request({ path: 'x'.repeat(6_000_000) })
    const first = broker.request(request())
    await new Promise((resolve) => setImmediate(resolve))
    const waiting = Array.from({ length: 6 }, () => broker.request(big))
    const outcome = Promise.allSettled([first, ...waiting])
    await expect(broker.request(request())).rejects.toMatchObject({ status: 500 })
    device().mode = 'ok'
    device().release?.()
    expect((await outcome).every((result) => result.status === 'fulfilled')).toBe(true)
  })
})

describe('checkpoints', () => {
  it('come once a minute while there is something new, list all heads, and are signed', async () => {
    const { broker, device, clock } = setUp()
    await broker.enable('mem', { type: 'memory', options: { name: 'mem' } })
    await broker.enable('two', { type: 'memory', options: { name: 'two' } })
    await broker.request(request())
    await clock.advance(60_000)
    const found = () => device('mem').lines.filter((line) => line.includes('"event":"checkpoint"'))
    expect(found()).toHaveLength(1)
    const line = JSON.parse(found()[0] ?? '')
    expect(
      Object.values<{ device: string }>(line.heads)
        .map((head) => head.device)
        .sort(),
    ).toEqual(['mem/', 'two/'])
    const publicKey = (await broker.evidence())?.publicKey ?? ''
    expect(line).toMatchObject({
      lines: 2,
      public_key: publicKey,
      signature: expect.stringMatching(/^[A-Za-z0-9+/]{86}==$/),
    })
    await clock.advance(600_000)
    expect(found(), 'nothing new').toHaveLength(1)
    await broker.checkpoint()
    expect(found()).toHaveLength(1)
    await broker.request(request())
    await broker.checkpoint()
    expect(found()).toHaveLength(2)
  })

  it('come first five seconds after a chain began and tell of those before it: no request waits until they are read', async () => {
    const before = setUp()
    await before.broker.enable('mem', { type: 'memory' })
    await before.broker.request(request())
    await before.broker.close()
    const [old] = (await readEvidence(before.rows))?.heads ?? []
    const { rows, broker, device, clock } = setUp(before.rows)
    await broker.refresh()
    const read: string[] = []
    const readRows = rows.read.bind(rows)
    rows.read = (keys) => {
      read.push(...keys.map(({ key }) => key))
      return readRows(keys)
    }
    await broker.request(request())
    expect(read.filter((key) => key.includes('/audit/chain/'))).toEqual([])
    expect(linksOf(device().lines)[0]).toMatchObject({ event: 'opened', heads: {} })
    await clock.advance(4999)
    const found = () => linksOf(device().lines).filter(({ event }) => event === 'checkpoint')
    expect(found()).toEqual([])
    await clock.advance(1)
    expect(found()).toHaveLength(1)
    expect(found()[0].heads[old?.chain ?? '']).toMatchObject({
      seq: old?.seq,
      mac: old?.mac,
      closed: true,
    })
    await clock.advance(600_000)
    expect(found(), 'nothing new').toHaveLength(1)
    await broker.request(request())
    await clock.advance(60_000)
    expect(found()).toHaveLength(2)
  })

  it.each([3, 4, 5, 6])(
    'are not put off by a device that fails every %i s: each failure begins a chain',
    async (every) => {
      const { broker, device, clock } = setUp()
      await broker.enable('mem', { type: 'memory' })
      let chains = 0
      for (let second = 0; second < 60; second += 1) {
        device().mode = second % every === 1 ? 'refuse' : 'ok'
        chains += second % every === 1 ? 1 : 0
        await broker.request(request()).catch(() => {})
        await clock.advance(1000)
      }
      const events = linksOf(device().lines).map(({ event }) => event)
      expect(events.filter((event) => event === 'opened')).toHaveLength(chains + 1)
      expect(events.filter((event) => event === 'checkpoint').length).toBeGreaterThan(5)
      await broker.close()
      expect(linksOf(device().lines).at(-1)?.event).toBe('closed')
    },
  )

  it('are not written behind the last line of a chain that was closed meanwhile', async () => {
    const { rows, broker, device, clock } = setUp()
    await broker.enable('mem', { type: 'memory' })
    await broker.request(request())
    const read = rows.read.bind(rows)
    const held: (() => void)[] = []
    rows.read = async (asked) => {
      const first = held.length === 0 && asked.some(({ key }) => key.includes('/audit/chain/'))
      if (first) await new Promise<void>((done) => held.push(done))
      return read(asked)
    }
    await clock.advance(5000)
    expect(held).toHaveLength(1)
    await broker.close()
    held[0]?.()
    await clock.advance(10)
    expect(linksOf(device().lines).map(({ event }) => event)).toEqual(['opened', undefined, 'closed'])
  })

  it('let old chains that are over be forgotten, but no living one', async () => {
    const { rows, broker, clock } = setUp()
    await broker.enable('mem', { type: 'memory' })
    await broker.request(request())
    await broker.close()
    await broker.refresh()
    await broker.request(request())
    const chains = async () => (await readEvidence(rows))?.heads.map((head) => head.closed)
    await clock.advance(60_000)
    expect((await chains())?.sort()).toEqual([false, true])
    await clock.advance(25 * 3_600_000)
    await broker.request(request())
    await clock.advance(60_000)
    expect(await chains()).toEqual([false])
    await clock.advance(30 * 24 * 3_600_000)
    expect(await chains()).toEqual([false])
  })
})

describe('devices of the configuration', () => {
  const declared = (options: Record<string, string>) => [{ path: 'conf', type: 'memory', options }]

  it('are made, changed with their salt kept, and removed; the API can do neither', async () => {
    const { rows, broker, device } = setUp()
    await broker.declare(declared({ name: 'one' }))
    await broker.request(request())
    const hash = await broker.hash('conf', 'x')
    const commits = rows.commits
    await broker.declare(declared({ name: 'one' }))
    expect(rows.commits, 'nothing to do').toBe(commits)
    await broker.declare(declared({ name: 'two', prefix: 'p' }))
    await broker.request(request())
    expect(device('two').lines.at(-1)).toMatch(/^p\{/)
    expect(await broker.hash('conf', 'x')).toBe(hash)
    await expect(broker.disable('conf')).rejects.toMatchObject({ status: 400 })
    await expect(broker.enable('conf', { type: 'memory' })).rejects.toMatchObject({ message: 'path already in use' })
    await broker.enable('api', { type: 'memory', options: { name: 'api' } })
    await broker.declare([])
    expect((await broker.list()).map(({ path }) => path)).toEqual(['api/'])
  })

  it('of which one is wrong change nothing', async () => {
    const { broker, rows } = setUp()
    const wrong = { path: 'b', type: 'memory', options: { filter: 'x' } }
    await expect(broker.declare([...declared({}), wrong])).rejects.toMatchObject({ status: 400 })
    await expect(broker.declare([{ path: 'b', type: 'nonsense' }])).rejects.toMatchObject({ status: 400 })
    expect(rows.rows.size).toBe(0)
  })
})

describe('more of a line', () => {
  it('names identity policies, the namespaces of what granted, and the wrapping token as hashes', async () => {
    const { broker, device } = setUp()
    await broker.enable('mem', { type: 'memory' })
    const team = { id: 'abc123', path: 'team/' }
    const granted = { allowed: true, granting: [{ name: 'p', namespace: team, type: 'acl' }] }
    const asked = request({
      namespace: team,
      auth: { ...auth, identityPolicies: ['by-group'], policyResults: granted },
    })
    const wrap = {
      token: 'hvs.canary-wrap',
      accessor: 'canary-wrap-accessor',
      ttlMs: 60_000,
      createdAt: Date.UTC(2026, 0, 2),
      creationPath: 'secret/data/app',
      wrappedAccessor: 'canary-wrapped',
    }
    await broker.response(asked, response({ wrap }))
    const [line] = device().records
    expect(line?.['auth']).toMatchObject({
      identity_policies: ['by-group'],
      policy_results: {
        granting_policies: [{ name: 'p', namespace_id: 'abc123', namespace_path: 'team/', type: 'acl' }],
      },
    })
    expect(line?.['request'].namespace).toEqual({ id: 'abc123', path: 'team/' })
    expect(line?.['response'].wrap_info).toEqual({
      ttl: 60,
      token: await broker.hash('mem', 'hvs.canary-wrap'),
      accessor: await broker.hash('mem', 'canary-wrap-accessor'),
      creation_time: '2026-01-02T00:00:00.000Z',
      creation_path: 'secret/data/app',
      wrapped_accessor: await broker.hash('mem', 'canary-wrapped'),
    })
    expect(device().lines.join('')).not.toContain('canary')
  })

  it.each([
    [{ prefix: 'a\nb' }, 'prefix must be a single line'],
    [{ exclude: '[]' }, /^the option "exclude" is not supported/],
    [{ format: 'xml' }, 'unknown format type "xml"'],
    [{ fallback: 'x' }, 'fallback must be true or false'],
  ])('options %j are refused', async (options, message) => {
    const { broker } = setUp()
    await expect(broker.enable('x', { type: 'memory', options })).rejects.toMatchObject({
      status: 400,
      message: message instanceof RegExp ? expect.stringMatching(message) : message,
    })
  })

  it.each(['', '/', 'a//b', 'x'.repeat(300), 'a\u0000b'])('path %j is refused', async (path) => {
    const { broker } = setUp()
    await expect(broker.enable(path, { type: 'memory' })).rejects.toMatchObject({ status: 400 })
  })

  it('a path above or below another is in use', async () => {
    const { broker } = setUp()
    await broker.enable('a/b', { type: 'memory' })
    await expect(broker.enable('a', { type: 'memory' })).rejects.toMatchObject({ message: 'path already in use' })
    await expect(broker.enable('a/b/c', { type: 'memory' })).rejects.toMatchObject({ message: 'path already in use' })
  })
})

import { createHash, createHmac } from 'node:crypto'
import { afterEach, describe, expect, it } from 'vitest'
import { FakeClock } from '../../../lib/fake-clock.ts'
import { silentLog } from '../../../lib/log.ts'
import { systemRandom } from '../../../lib/random.ts'
import { createTurns } from '../../../lib/turns.ts'
import type { AuditDevice } from '../../contracts/devices.ts'
import { fakeAudited } from '../../contracts/fake-audited.ts'
import { FakeRows } from '../../contracts/fake-rows.ts'
import { verifyAudit } from '../verify/verify-audit.ts'
import { AuditBroker } from './audit-broker.ts'
import { readEvidence } from './audit-rows.ts'

class Device implements AuditDevice {
  readonly type = 'memory'
  readonly takesPieces: boolean
  readonly writes: Buffer[][] = []
  refuses = false
  /** Writes wait for it. */
  gate: Promise<void> = Promise.resolve()

  constructor(takesPieces: boolean) {
    this.takesPieces = takesPieces
  }

  async write(lines: readonly Uint8Array[]): Promise<void> {
    await this.gate
    if (this.refuses) throw new Error('disk full')
    this.writes.push(lines.map((line) => Buffer.from(line)))
  }

  async close() {}

  get lines(): string[] {
    return Buffer.concat(this.writes.flat()).toString().split('\n').slice(0, -1)
  }
}

const brokers: AuditBroker[] = []
afterEach(async () => {
  for (const broker of brokers.splice(0)) await broker.close()
})

async function setUp(takesPieces = true, prefix = '') {
  const rows = new FakeRows()
  const device = new Device(takesPieces)
  const clock = new FakeClock()
  const turns = { taken: 0, gate: Promise.resolve() }
  const queue = createTurns()
  const broker = new AuditBroker({
    rows,
    clock,
    random: systemRandom,
    log: silentLog,
    devices: { memory: { type: 'memory', open: async () => device } },
    node: 'n1',
    turns: {
      next: async () => {
        turns.taken += 1
        await turns.gate
        await queue.next()
      },
    },
  })
  brokers.push(broker)
  await broker.enable('mem', { type: 'memory', options: { prefix } })
  return { rows, device, broker, turns, clock }
}

const request = (id: string, strings = 0) =>
  fakeAudited({
    id,
    data: strings > 0 ? { list: Array.from({ length: strings }, (_, i) => `v${i}`) } : undefined,
  })
const answer = { at: 2000, data: undefined, warnings: [] }
const idsOf = (device: Device) =>
  device.lines.flatMap((line) => /"request":\{"id":"([^"]+)"/.exec(line)?.slice(1) ?? []).map(String)

describe('long lines', () => {
  it.each([
    ['pieces', true, ''],
    ['whole lines', false, 'audit: '],
  ])('stand in one chain with short ones, for a device that takes %s', async (_, takesPieces, prefix) => {
    const { rows, device, broker } = await setUp(takesPieces, prefix)
    await broker.request(request('short-1'))
    await broker.exchange(request('long', 5000), answer)
    await broker.response(request('short-1'), answer)
    await broker.checkpoint()
    const key = (await readEvidence(rows))?.key ?? Buffer.alloc(0)
    const lines = device.lines.map((line) => line.slice(prefix.length))
    expect(idsOf(device)).toEqual(['short-1', 'long', 'long', 'short-1'])
    const links = lines.map((line) => JSON.parse(line))
    for (const [i, before] of lines.slice(0, -1).entries()) {
      const prev = createHmac('sha256', key).update(before).digest('hex')
      expect(links[i + 1]).toMatchObject({ seq: i + 2, prev })
    }
    expect(links.at(-1)).toMatchObject({ event: 'checkpoint', lines: lines.length - 1 })
    const covered = lines.slice(0, -1).map((line) => `${line}\n`)
    expect(links.at(-1).digest).toBe(createHash('sha256').update(covered.join('')).digest('hex'))
  })

  it('let short ones pass while they are made, and are made in slices', async () => {
    const { device, broker, turns } = await setUp()
    const long = broker.request(request('long', 20_000))
    await broker.request(request('short'))
    await long
    expect(idsOf(device)).toEqual(['short', 'long'])
    expect(turns.taken).toBeGreaterThanOrEqual(30)
  })

  it('keep a checkpoint waiting for their digest, and no line of a request', async () => {
    const { device, broker, turns } = await setUp()
    await broker.request(request('first'))
    await broker.request(request('long', 40_000))
    let goOn = () => {}
    turns.gate = new Promise((resolve) => {
      goOn = resolve
    })
    const checkpoint = broker.checkpoint()
    await new Promise(setImmediate)
    const short = broker.request(request('short'))
    for (let i = 0; i < 100 && !idsOf(device).includes('short'); i += 1) await new Promise(setImmediate)
    const before = device.lines
    goOn()
    await Promise.all([short, checkpoint])
    expect(before.at(-1)).toContain('"id":"short"')
    expect(before.join()).not.toContain('"event":"checkpoint"')
    expect(device.lines.at(-1)).toContain('"event":"checkpoint"')
    const covered = device.lines.slice(0, -1).map((line) => `${line}\n`)
    const digest = createHash('sha256').update(covered.join('')).digest('hex')
    expect(JSON.parse(device.lines.at(-1) ?? '').digest).toBe(digest)
  })

  it('are refused, with their request, by a device that refuses, and told of as dropped', async () => {
    const { device, broker } = await setUp()
    await broker.request(request('short'))
    device.refuses = true
    await expect(broker.exchange(request('long', 2000), answer)).rejects.toMatchObject({ status: 500 })
    expect(broker.stats()).toMatchObject([{ dropped: 2, failures: 1 }])
    device.refuses = false
    await broker.request(request('next', 2000))
    const dropped = device.lines.map((line) => JSON.parse(line)).filter((line) => line.event === 'dropped')
    expect(dropped).toMatchObject([{ lines: 2 }])
    expect(idsOf(device)).toEqual(['short', 'next'])
  })

  it('that became short, since a long string is one HMAC, go out with the others', async () => {
    const { device, broker } = await setUp()
    await broker.request(request('first'))
    const writes = device.writes.length
    const big = (id: string) => ({ ...request(id), data: { value: 'x'.repeat(100_000) } })
    await Promise.all([broker.request(big('a')), broker.request(big('b'))])
    expect(device.writes).toHaveLength(writes + 1)
    expect(idsOf(device)).toEqual(['first', 'a', 'b'])
  })

  it('that wait for the device take turns with short ones that came later', async () => {
    const { device, broker } = await setUp()
    await broker.request(request('first'))
    let open = () => {}
    device.gate = new Promise((resolve) => {
      open = resolve
    })
    const waiting = [broker.request(request('a')), broker.request(request('b', 600)), broker.request(request('c', 600))]
    // Until all stand in the queue.
    for (let i = 0; i < 50; i += 1) await new Promise((resolve) => setImmediate(resolve))
    waiting.push(broker.request(request('d', 600)))
    for (let i = 0; i < 50; i += 1) await new Promise((resolve) => setImmediate(resolve))
    waiting.push(broker.request(request('e')), broker.request(request('f')))
    open()
    await Promise.all(waiting)
    expect(idsOf(device)).toEqual(['first', 'a', 'b', 'e', 'f', 'c', 'd'])
  })

  it('hold up no line by their digest: only a checkpoint waits for it, and vouches for what came meanwhile', async () => {
    const { rows, device, broker, turns, clock } = await setUp()
    await broker.request(request('first'))
    // The chain's first checkpoint.
    await clock.advance(5000)
    const writes = device.writes.length
    const long = broker.request(request('long', 30_000))
    while (device.writes.length === writes) await new Promise((resolve) => setImmediate(resolve))
    let open = () => {}
    turns.gate = new Promise((resolve) => {
      open = resolve
    })
    await long
    await broker.request(request('short'))
    await broker.exchange(request('next'), answer)
    expect(idsOf(device)).toEqual(['first', 'long', 'short', 'next', 'next'])
    let signed = false
    const checkpoint = broker.checkpoint().then(() => {
      signed = true
    })
    await clock.advance(30_000)
    expect(signed).toBe(false)
    expect(broker.stats()).toMatchObject([{ state: 'ok', dropped: 0 }])
    open()
    await checkpoint
    await broker.request(request('after'))
    await broker.checkpoint()
    await broker.close()
    const { key, heads, publicKey } = { ...(await readEvidence(rows)), publicKey: (await broker.evidence())?.publicKey }
    const files = [{ name: 'audit.log', bytes: device.writes.flat() }]
    const proven = await verifyAudit({
      files,
      ...(key && { key }),
      ...(heads && { heads }),
      ...(publicKey && { publicKey }),
    })
    expect(proven).toMatchObject({ intact: true, problems: [] })
    expect(device.lines.filter((line) => line.includes('"event":"checkpoint"'))).toHaveLength(3)
  })

  it('are refused when the device is too slow for them, and proven as far as it took them', async () => {
    const { rows, device, broker, clock } = await setUp()
    await broker.request(request('first'))
    let open = () => {}
    device.gate = new Promise((resolve) => {
      open = resolve
    })
    const long = broker.request(request('long', 30_000)).catch((error: unknown) => error)
    while (broker.stats()[0]?.state !== 'blocked') {
      await new Promise((resolve) => setImmediate(resolve))
      await clock.advance(100)
    }
    expect(await long).toMatchObject({ status: 500 })
    open()
    while (broker.stats()[0]?.state !== 'ok') await new Promise((resolve) => setImmediate(resolve))
    await broker.request(request('next', 2000))
    await broker.checkpoint()
    await broker.close()
    const { key, heads } = (await readEvidence(rows)) ?? {}
    const files = [{ name: 'audit.log', bytes: device.writes.flat() }]
    expect(await verifyAudit({ files, ...(key && { key }), ...(heads && { heads }) })).toMatchObject({
      intact: true,
      problems: [],
    })
  })

  it('that are not ready when the devices are closed are refused: nothing stands behind the last line', async () => {
    // Any of its steps may be under way: making the line, hashing it, the last line being written.
    for (let steps = 0; steps < 12; steps += 1) {
      const { device, broker } = await setUp()
      await broker.request(request('first'))
      const long = broker.request(request('long', 3000)).then(
        () => 'taken',
        () => 'refused',
      )
      for (let i = 0; i < steps; i += 1) await new Promise((resolve) => setImmediate(resolve))
      await broker.close()
      expect(idsOf(device)).toEqual((await long) === 'taken' ? ['first', 'long'] : ['first'])
      expect(device.lines.at(-1)).toContain('"event":"closed"')
    }
  })
})

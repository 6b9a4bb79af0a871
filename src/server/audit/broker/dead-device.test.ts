import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FakeClock } from '../../../lib/fake-clock.ts'
import { silentLog } from '../../../lib/log.ts'
import { systemRandom } from '../../../lib/random.ts'
import type { AuditDevice } from '../../contracts/devices.ts'
import { fakeAudited } from '../../contracts/fake-audited.ts'
import { FakeRows } from '../../contracts/fake-rows.ts'
import { AuditBroker } from './audit-broker.ts'

/** What a disk on a server that is gone does: nothing, for ever. */
const never = new Promise<void>(() => {})
const stuck = { open: false, write: false, reopen: false, close: false }
let lines: Record<string, number>
let clock: FakeClock
let broker: AuditBroker

const request = fakeAudited()

const device = (name: string, dead: boolean): AuditDevice => ({
  type: name,
  write: async (given) => {
    if (dead && stuck.write) await never
    lines[name] = (lines[name] ?? 0) + given.length
  },
  reopen: async () => {
    if (dead && stuck.reopen) await never
  },
  close: async () => {
    if (dead && stuck.close) await never
  },
})

beforeEach(() => {
  Object.assign(stuck, { open: false, write: false, reopen: false, close: false })
  lines = {}
  clock = new FakeClock()
  const type = (name: string, dead: boolean) => ({
    type: name,
    open: async () => {
      if (dead && stuck.open) await never
      return device(name, dead)
    },
  })
  const devices = { dead: type('dead', true), alive: type('alive', false) }
  broker = new AuditBroker({ rows: new FakeRows(), clock, random: systemRandom, log: silentLog, devices, node: 'n' })
})
afterEach(() => settled(broker.close()))

/** Whether it is over after ten seconds, by a clock that is moved. */
async function settled(work: Promise<unknown>): Promise<'done' | 'failed' | 'hangs'> {
  let state: 'done' | 'failed' | 'hangs' = 'hangs'
  work.then(
    () => (state = 'done'),
    () => (state = 'failed'),
  )
  for (let i = 0; i < 20 && state === 'hangs'; i += 1) await clock.advance(500)
  return state
}

describe('a device on a disk that does not answer any more', () => {
  beforeEach(async () => {
    await broker.enable('dead', { type: 'dead' })
    await broker.enable('alive', { type: 'alive' })
    await broker.request(request)
    Object.assign(stuck, { open: true, write: true, reopen: true, close: true })
    const before = lines['alive'] ?? 0
    await broker.request(request)
    expect(lines['alive']).toBeGreaterThan(before)
    await clock.advance(2500)
  })

  it('does not keep a server from sealing', async () => {
    expect(await settled(broker.close())).toBe('done')
  })

  it('can be disabled, and the others go on', async () => {
    expect(await settled(broker.disable('dead'))).toBe('done')
    expect((await broker.list()).map(({ path }) => path)).toEqual(['alive/'])
    await broker.request(request)
  })

  it('does not keep the files of others from being reopened, and is named', async () => {
    const reopening = broker.reopen()
    reopening.catch(() => {})
    expect(await settled(reopening)).toBe('failed')
    await expect(reopening).rejects.toThrow('the audit device dead/ did not reopen within 2000 ms')
  })

  it('does not keep a server from unsealing', async () => {
    await settled(broker.close())
    expect(await settled(broker.refresh())).toBe('done')
    const before = lines['alive'] ?? 0
    await broker.request(request)
    expect(lines['alive']).toBeGreaterThan(before)
    expect(broker.stats()).toMatchObject([
      { path: 'alive/', state: 'ok' },
      { path: 'dead/', state: 'not open', lastError: expect.stringContaining('within 2000 ms') },
    ])
  })
})

it('a device that cannot be reached is refused, and the request does not wait for ever', async () => {
  stuck.open = true
  const enabling = broker.enable('dead', { type: 'dead' })
  enabling.catch(() => {})
  expect(await settled(enabling)).toBe('failed')
  await expect(enabling).rejects.toMatchObject({ status: 400, message: expect.stringContaining('nothing answers') })
  expect(await broker.list()).toEqual([])
})

it('between its closing and its opening again nothing passes unrecorded', async () => {
  await broker.enable('alive', { type: 'alive' })
  await broker.close()
  await expect(broker.request(request)).rejects.toMatchObject({ status: 500 })
  await broker.refresh()
  await broker.request(request)
  await broker.disable('alive')
  await broker.close()
  // Without a device there is nothing to be recorded.
  await broker.request(request)
})

import { expect, it } from 'vitest'
import { type DeviceStats, nodeStats } from './node-audits.ts'

const device = (more: Partial<DeviceStats> = {}): DeviceStats => ({
  ...{ path: 'file/', type: 'file', state: 'ok', written: 10, dropped: 1, failures: 2, waiting: 3 },
  ...more,
})

it('a device counts what all processes wrote, dropped and failed to write', () => {
  expect(nodeStats([device()], [[device()], [device({ written: 5 })]])).toEqual([
    device({ written: 15, dropped: 2, failures: 4, waiting: 6 }),
  ])
})

it('a device that is in trouble in one process is in trouble, and says why', () => {
  const state = (...all: DeviceStats['state'][]) =>
    nodeStats(
      [device()],
      [all.map((one) => device({ state: one }))].flat().map((one) => [one]),
    )[0]?.state
  expect([state('ok', 'ok'), state('ok', 'blocked'), state('blocked', 'not open', 'ok')]).toEqual([
    'ok',
    'blocked',
    'not open',
  ])
  expect(nodeStats([device()], [[device()], [device({ lastError: 'disk away' })]])[0]?.lastError).toBe('disk away')
})

it('devices that only another process still knows are not there, those that it does not know yet are', () => {
  const [fresh, gone] = [device({ path: 'fresh/' }), device({ path: 'gone/' })]
  expect(nodeStats([fresh], [[fresh], [gone]])).toEqual([fresh])
  // The other is of another kind: it was disabled and enabled anew.
  expect(nodeStats([device()], [[device()], [device({ type: 'socket' })]])).toEqual([device()])
})

it('one that answers for itself alone, since no other could be asked, still answers', () => {
  expect(nodeStats([device()], [])).toEqual([device()])
})

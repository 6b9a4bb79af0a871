import { beforeEach, describe, expect, it } from 'vitest'
import { fakeMount } from '../contracts/fake-call.ts'
import type { MountInfo, UserLockout } from '../contracts/request.ts'
import { type LeaseNode, LeaseWorld } from '../leases/test-leases.ts'
import { lockoutOf } from './lockout-config.ts'
import { LockoutStore } from './lockout-store.ts'

const minute = 60_000
let world: LeaseWorld
let node: LeaseNode
let lockout: LockoutStore
const door = fakeMount({ path: 'auth/door/', class: 'auth', type: 'door', accessor: 'auth_door_1' })
const storeOn = (on: LeaseNode, more: { disabled?: boolean; stanzas?: Record<string, UserLockout> } = {}) =>
  new LockoutStore({ rows: on.barrier, due: on.due, log: world.log, stanzas: {}, disabled: false, ...more })
beforeEach(async () => {
  world = await LeaseWorld.start()
  node = await world.node()
  lockout = storeOn(node)
})
const fail = async (times: number, alias = 'bob', mount: MountInfo = door, store = lockout) => {
  for (let i = 0; i < times; i += 1) await store.failed('root', mount, alias)
}
const isLocked = async (alias = 'bob', mount: MountInfo = door, store = lockout) =>
  store.check('root', mount, alias).then(
    () => false,
    (error) => {
      expect(error).toMatchObject({ status: 403, errors: ['permission denied'] })
      return true
    },
  )
const rows = async () =>
  (await world.backend.list('ns/', { depth: 'all', limit: 100 })).filter((key) => key.includes('lockout'))

describe('a user', () => {
  it('has no row before the first failure', async () => {
    await lockout.check('root', door, 'bob')
    await lockout.succeeded('root', door, 'bob')
    expect(await rows()).toEqual([])
  })

  it('is locked by the fifth failure, for fifteen minutes, on every node', async () => {
    const other = storeOn(await world.node())
    await fail(4)
    expect(await isLocked()).toBe(false)
    await other.failed('root', door, 'bob')
    expect([await isLocked(), await isLocked('bob', door, other), await isLocked('eve')]).toEqual([true, true, false])
    await node.live(15 * minute - 1000)
    expect(await isLocked()).toBe(true)
    await node.live(2000)
    expect([await isLocked(), await rows()]).toEqual([false, []])
  })

  it('is free after the time also while nobody sweeps, and counted from one again', async () => {
    await fail(5)
    await world.clock.advance(15 * minute)
    expect(await isLocked()).toBe(false)
    await fail(4)
    expect(await isLocked()).toBe(false)
    await fail(1)
    expect(await isLocked()).toBe(true)
  })

  it('has failures forgotten fifteen minutes after the last, and at once by a success', async () => {
    await fail(4)
    await world.clock.advance(15 * minute)
    await fail(4)
    expect(await isLocked()).toBe(false)
    await lockout.succeeded('root', door, 'bob')
    expect(await rows()).toEqual([])
    await fail(4)
    expect(await isLocked()).toBe(false)
  })

  it('is another one in another mount and namespace', async () => {
    await fail(5)
    const twin = fakeMount({ ...door, accessor: 'auth_door_2' })
    expect(await isLocked('bob', twin)).toBe(false)
    await lockout.check('Ab3dE6', door, 'bob')
  })

  it('that many try at once is locked all the same', async () => {
    await world.settle(Promise.all(Array.from({ length: 20 }, () => lockout.failed('root', door, 'bob'))))
    expect(await isLocked()).toBe(true)
    expect((await rows()).length).toBe(2)
  })

  it('is named neither in row names nor in the log', async () => {
    await fail(5, 'hunter2/../x')
    expect((await rows()).length).toBe(2)
    expect(JSON.stringify([await rows(), world.lines])).not.toContain('hunter2')
    expect(world.lines.map(({ event }) => event)).toEqual(['barrier unsealed', 'user locked'])
    expect(await lockout.locked('root')).toEqual([{ mountAccessor: 'auth_door_1', aliases: ['hunter2/../x'] }])
  })
})

describe('locked users', () => {
  it('are listed by mount, and unlocked one by one', async () => {
    await fail(5)
    await fail(5, 'eve')
    await fail(4, 'almost')
    expect(await lockout.locked('root')).toEqual([{ mountAccessor: 'auth_door_1', aliases: ['bob', 'eve'] }])
    expect(await lockout.locked('root', 'auth_none')).toEqual([{ mountAccessor: 'auth_none', aliases: [] }])
    expect(await lockout.locked('Ab3dE6')).toEqual([])
    await lockout.unlock('root', 'auth_door_1', 'bob')
    await lockout.unlock('root', 'auth_door_1', 'nobody')
    expect([await isLocked(), await isLocked('eve')]).toEqual([false, true])
  })
})

describe('what counts', () => {
  const tuned = (userLockout: UserLockout) => ({ ...door, config: { ...door.config, userLockout } })
  it('is the mount, then its type, then all, then the default', () => {
    const stanzas = { all: { threshold: 7, durationMs: 1 }, door: { threshold: 6 } }
    expect(lockoutOf(door, {})).toEqual({ threshold: 5, durationMs: 900_000, counterResetMs: 900_000, disabled: false })
    expect(lockoutOf(door, stanzas)).toMatchObject({ threshold: 6, durationMs: 1, counterResetMs: 900_000 })
    expect(lockoutOf(tuned({ threshold: 2, disabled: true }), stanzas)).toMatchObject({ threshold: 2, disabled: true })
  })

  it('is nothing where it is switched off', async () => {
    const off = storeOn(await world.node(), { disabled: true })
    await fail(9, 'bob', door, off)
    await fail(9, 'bob', tuned({ disabled: true }))
    expect([await isLocked(), await rows()]).toEqual([false, []])
    await fail(5)
    expect([await isLocked('bob', door, off), await isLocked('bob', tuned({ disabled: true }))]).toEqual([false, false])
  })
})

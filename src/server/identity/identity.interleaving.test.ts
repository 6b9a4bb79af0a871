import { describe, expect, it } from 'vitest'
import { Refusal } from '../contracts/request.ts'
import type { StorageBackend } from '../contracts/storage.ts'
import { inconsistencies } from './test-consistency.ts'
import { loginBy, type OpenIdentity, openIdentity, standingNow } from './test-identity.ts'

/** A storage that lets `other` happen right before its call number `at`. */
function interrupted(backend: StorageBackend, at: number, other: () => Promise<unknown>) {
  let calls = 0
  const before = async () => {
    calls += 1
    if (calls - 1 === at) await other()
  }
  const storage: StorageBackend = {
    ...backend,
    type: backend.type,
    limits: backend.limits,
    read: async (keys) => {
      await before()
      return backend.read(keys)
    },
    list: async (prefix, page) => {
      await before()
      return backend.list(prefix, page)
    },
    commit: async (commit) => {
      await before()
      return backend.commit(commit)
    },
    clear: (prefix, limit) => backend.clear(prefix, limit),
    now: () => backend.now(),
    snapshot: (signal) => backend.snapshot(signal),
    load: (rows) => backend.load(rows),
    changes: (signal) => backend.changes(signal),
    lead: (work, until) => backend.lead(work, until),
    close: async () => undefined,
  }
  return { storage, start: () => (calls = 0), calls: () => calls }
}

type Deed = (node: OpenIdentity, ids: Ids) => Promise<unknown>
interface Ids {
  readonly bob: string
  readonly eve: string
  readonly g: string
  readonly h: string
}

const entityId = async ({ identity }: OpenIdentity, name: string) => (await identity.entities.byName(name))?.id ?? ''
const groupId = async ({ identity }: OpenIdentity, name: string) => (await identity.groups.byName(name)) ?? ''

async function prepare(node: OpenIdentity, used: boolean): Promise<Ids> {
  const { identity } = node
  await identity.login(loginBy('bob'))
  await identity.entities.upsert({ id: (await identity.entities.byAlias('auth_userpass_1', 'bob'))?.id, name: 'bob' })
  await identity.entities.upsert({ name: 'eve' })
  // The rows that stand for "something went" and "some group changed" are there only after the first time.
  if (used) {
    await identity.entities.upsert({ name: 'gone' })
    await identity.entities.delete(await entityId(node, 'gone'))
    await identity.groups.upsert({ name: 'g' })
    await identity.groups.upsert({ name: 'h' })
  }
  return {
    bob: await entityId(node, 'bob'),
    eve: await entityId(node, 'eve'),
    g: await groupId(node, 'g'),
    h: await groupId(node, 'h'),
  }
}

/** The first deed with the second in the middle of it, at each place that there is. */
async function interleave(used: boolean, one: Deed, two: Deed, check: (node: OpenIdentity, ids: Ids) => Promise<void>) {
  for (let at = 0, more = true; more; at += 1) {
    const node = await openIdentity()
    const ids = await prepare(node, used)
    const stop = interrupted(node.backend, at, () => quietly(two(node, ids)))
    const other = await openIdentity({ backend: stop.storage, clock: node.clock })
    stop.start()
    await quietly(one(other, ids))
    more = stop.calls() > at
    expect(await inconsistencies(node.barrier), `interrupted at ${at}`).toEqual([])
    await check(node, ids)
  }
}

/** Either of the two may be refused; anything else is a fault. */
async function quietly(deed: Promise<unknown>): Promise<void> {
  try {
    await deed
  } catch (error) {
    if (!(error instanceof Refusal) || error.status >= 500) throw error
  }
}

const join: Deed = ({ identity }, { bob }) => identity.groups.upsert({ name: 'g', memberEntityIds: [bob] })
const leave: Deed = ({ identity }, { bob }) => identity.entities.delete(bob)
const merge: Deed = ({ identity }, { bob, eve }) => identity.merge({ to: eve, from: [bob], keep: [] })
const nothing = async () => undefined

describe.each([false, true])('at every step (rows that guard are there: %s)', (used) => {
  it('an entity that goes while a group takes it in is no member', () => interleave(used, join, leave, nothing))
  it('an entity that is taken in while it goes is no member', () => interleave(used, leave, join, nothing))
  it('an entity that is merged while a group takes it in is no member', () => interleave(used, join, merge, nothing))
  it('an entity that is taken in while it is merged is no member', () => interleave(used, merge, join, nothing))
  it('an entity that goes while it is merged leaves nothing', () => interleave(used, merge, leave, nothing))
  it('a login while its entity goes finds a new one', () =>
    interleave(
      used,
      ({ identity }) => identity.login(loginBy('bob', { metadata: { a: 'b' } })),
      leave,
      async ({ identity }) => {
        const id = await identity.login(loginBy('bob'))
        expect(await identity.entities.byId(id)).toBeDefined()
      },
    ))
})

it('two groups that take one another in at the same time make no circle, at any step', () =>
  interleave(
    true,
    ({ identity }, { g, h }) => identity.groups.upsert({ id: g, memberGroupIds: [h] }),
    ({ identity }, { g, h }) => identity.groups.upsert({ id: h, memberGroupIds: [g] }),
    async ({ identity }, { g, h }) => {
      const [one, two] = [await identity.kinOf(g), await identity.kinOf(h)]
      expect(one.children.length + two.children.length).toBe(1)
    },
  ))

it('a judgement is never older than the version it was asked for', async () => {
  for (let at = 0; at < 12; at += 1) {
    const node = await openIdentity()
    const ids = await prepare(node, true)
    const { identity } = node
    const stop = interrupted(node.backend, at, () =>
      identity.groups.upsert({ id: ids.g, policies: ['new'], memberEntityIds: [ids.bob] }),
    )
    const other = await openIdentity({ backend: stop.storage, clock: node.clock })
    stop.start()
    await standingNow(other, ids.bob)
    if (stop.calls() <= at) await identity.groups.upsert({ id: ids.g, policies: ['new'], memberEntityIds: [ids.bob] })
    expect((await standingNow(other, ids.bob))?.policies, `interrupted at ${at}`).toEqual(['new'])
  }
})

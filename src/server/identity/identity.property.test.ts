import fc from 'fast-check'
import { expect, it } from 'vitest'
import { FakeClock } from '../../lib/fake-clock.ts'
import { systemRandom } from '../../lib/random.ts'
import { Refusal } from '../contracts/request.ts'
import { openMemory } from '../storage/memory/memory.ts'
import { crashing } from '../storage/test-crashing.ts'
import type { IdentityStore } from './identity-store.ts'
import { inconsistencies } from './test-consistency.ts'
import { loginBy, openIdentity } from './test-identity.ts'

/** What identity promises, without storage: entities and groups by name, aliases by mount and name. */
interface Model {
  entities: Map<string, { aliases: Map<string, { name: string; groups: Set<string> }>; policies: string[] }>
  groups: Map<string, { members: Set<string>; groups: Set<string>; external: boolean; alias?: string }>
}
const emptyModel = (): Model => ({ entities: new Map(), groups: new Map() })

const names = ['a', 'b', 'c', 'd']
const name = fc.constantFrom(...names)
const mount = fc.constantFrom('auth_userpass_1', 'auth_jwt_1')
const operations = fc.oneof(
  fc.record({ op: fc.constant('entity' as const), name, policy: fc.constantFrom('p', 'q') }),
  fc.record({ op: fc.constant('rename' as const), name, to: name }),
  fc.record({ op: fc.constant('delete' as const), name }),
  fc.record({ op: fc.constant('alias' as const), name, mount, entity: name }),
  fc.record({ op: fc.constant('unalias' as const), name, mount }),
  fc.record({ op: fc.constant('login' as const), name, mount, groups: fc.subarray(['x', 'y']) }),
  fc.record({ op: fc.constant('group' as const), name, members: fc.subarray(names), groups: fc.subarray(names) }),
  fc.record({ op: fc.constant('external' as const), name, alias: fc.constantFrom('x', 'y') }),
  fc.record({ op: fc.constant('ungroup' as const), name }),
  fc.record({ op: fc.constant('merge' as const), from: name, to: name }),
)
type Operation = typeof operations extends fc.Arbitrary<infer T> ? T : never
/** External groups have aliases on this mount only. */
const directory = 'auth_userpass_1'

const ghost = 'ffffffff-0000-4000-8000-000000000000'
async function perform(identity: IdentityStore, operation: Operation): Promise<void> {
  const idOf = async (wanted: string) => (await identity.entities.byName(wanted))?.id ?? ghost
  const groupOf = async (wanted: string) => (await identity.groups.byName(wanted)) ?? ghost
  switch (operation.op) {
    case 'entity':
      await identity.entities.upsert({ name: operation.name, policies: [operation.policy] })
      return
    case 'rename':
      await identity.entities.upsert({ id: await idOf(operation.name), name: operation.to })
      return
    case 'delete':
      return identity.entities.delete(await idOf(operation.name))
    case 'alias':
      await identity.aliases.upsert({
        name: operation.name,
        mountAccessor: operation.mount,
        canonicalId: await idOf(operation.entity),
      })
      return
    case 'unalias': {
      const entity = await identity.entities.byAlias(operation.mount, operation.name)
      return identity.aliases.delete(entity?.aliases.find((one) => one.mountAccessor === operation.mount)?.id ?? ghost)
    }
    case 'login': {
      const id = await identity.login(
        loginBy(operation.name, { mountAccessor: operation.mount, groups: operation.groups }),
      )
      const entity = await identity.entities.byId(id)
      // New ones get a random name; the model wants one that it can say.
      if (entity?.name.includes('_'))
        await identity.entities.upsert({ id, name: `login-${operation.mount}-${operation.name}` })
      return
    }
    case 'group':
      await identity.groups.upsert({
        name: operation.name,
        memberEntityIds: await Promise.all(operation.members.map(idOf)),
        memberGroupIds: await Promise.all(operation.groups.map(groupOf)),
      })
      return
    case 'external':
      if (!(await identity.groups.byName(operation.name))) {
        await identity.groups.upsert({ name: operation.name, type: 'external' })
      }
      await identity.groupAliases.upsert({
        name: operation.alias,
        mountAccessor: directory,
        canonicalId: await groupOf(operation.name),
      })
      return
    case 'ungroup':
      return identity.groups.delete(await groupOf(operation.name))
    case 'merge':
      return identity.merge({ from: [await idOf(operation.from)], to: await idOf(operation.to), keep: [] })
  }
}

const aliasOwner = (model: Model, accessor: string, alias: string) =>
  [...model.entities].find(([, entity]) => entity.aliases.get(accessor)?.name === alias)?.[0]

function forgetEntity(model: Model, wanted: string): void {
  model.entities.delete(wanted)
  for (const group of model.groups.values()) group.members.delete(wanted)
}

function contains(model: Model, outer: string, inner: string): boolean {
  return outer === inner || [...(model.groups.get(outer)?.groups ?? [])].some((child) => contains(model, child, inner))
}

/** Throws where a refusal is due. */
function foresee(model: Model, operation: Operation): unknown {
  const refuse = () => {
    throw new Error('refused')
  }
  const { entities, groups } = model
  switch (operation.op) {
    case 'entity': {
      const known = entities.get(operation.name)
      entities.set(operation.name, { aliases: known?.aliases ?? new Map(), policies: [operation.policy] })
      return
    }
    case 'rename': {
      const entity = entities.get(operation.name)
      if (!entity || (operation.to !== operation.name && entities.has(operation.to))) return refuse()
      entities.delete(operation.name)
      entities.set(operation.to, entity)
      for (const group of groups.values()) if (group.members.delete(operation.name)) group.members.add(operation.to)
      return
    }
    case 'delete':
      return forgetEntity(model, operation.name)
    case 'alias': {
      const target = entities.get(operation.entity)
      const owner = aliasOwner(model, operation.mount, operation.name)
      if (owner === operation.entity) return
      if (!target || target.aliases.has(operation.mount)) return refuse()
      if (owner !== undefined) entities.get(owner)?.aliases.delete(operation.mount)
      target.aliases.set(operation.mount, { name: operation.name, groups: new Set() })
      return
    }
    case 'unalias': {
      const owner = aliasOwner(model, operation.mount, operation.name)
      if (owner !== undefined) entities.get(owner)?.aliases.delete(operation.mount)
      return
    }
    case 'login': {
      let owner = aliasOwner(model, operation.mount, operation.name)
      if (owner === undefined) {
        owner = `login-${operation.mount}-${operation.name}`
        if (entities.has(owner)) return refuse()
        entities.set(owner, { aliases: new Map(), policies: [] })
      }
      const known = [...groups.values()].flatMap((group) => group.alias ?? [])
      const vouched = operation.mount === directory ? operation.groups.filter((one) => known.includes(one)) : []
      entities.get(owner)?.aliases.set(operation.mount, { name: operation.name, groups: new Set(vouched) })
      return
    }
    case 'group': {
      const known = groups.get(operation.name)
      if (known?.external || operation.members.some((one) => !entities.has(one))) return refuse()
      if (operation.groups.some((one) => !groups.has(one) || contains(model, one, operation.name))) return refuse()
      groups.set(operation.name, {
        members: new Set(operation.members),
        groups: new Set(operation.groups),
        external: false,
      })
      return
    }
    case 'external': {
      const known = groups.get(operation.name)
      const group = known ?? { members: new Set<string>(), groups: new Set<string>(), external: true }
      groups.set(operation.name, group)
      const holder = [...groups].find(([, one]) => one.alias === operation.alias)?.[0]
      if (!group.external || holder !== undefined) return refuse()
      group.alias = operation.alias
      return
    }
    case 'ungroup':
      groups.delete(operation.name)
      for (const group of groups.values()) group.groups.delete(operation.name)
      return
    case 'merge': {
      const [from, to] = [entities.get(operation.from), entities.get(operation.to)]
      if (!from || !to || from === to) return refuse()
      if ([...from.aliases.keys()].some((one) => to.aliases.has(one))) return refuse()
      for (const [accessor, alias] of from.aliases) to.aliases.set(accessor, { name: alias.name, groups: new Set() })
      for (const group of groups.values()) if (group.members.has(operation.from)) group.members.add(operation.to)
      return forgetEntity(model, operation.from)
    }
  }
}

const sorted = (list: Iterable<string>) => [...list].sort()
function shown(model: Model): unknown {
  return {
    entities: sorted(model.entities.keys()).map((key) => [
      key,
      model.entities.get(key)?.policies,
      [...(model.entities.get(key)?.aliases ?? [])]
        .map(([accessor, alias]) => `${accessor} ${alias.name} ${sorted(alias.groups)}`)
        .sort(),
    ]),
    groups: sorted(model.groups.keys()).map((key) => {
      const group = model.groups.get(key)
      return [key, sorted(group?.members ?? []), sorted(group?.groups ?? []), group?.alias, group?.external]
    }),
  }
}

async function observed(identity: IdentityStore): Promise<Model> {
  const model = emptyModel()
  const nameOf = new Map<string, string>()
  for await (const row of identity.entities.all()) {
    nameOf.set(row.id, row.name)
    const aliases = row.aliases.map(
      (alias) => [alias.mountAccessor, { name: alias.name, groups: new Set(alias.groups) }] as const,
    )
    model.entities.set(row.name, { aliases: new Map(aliases), policies: [...row.policies] })
  }
  const groups = await identity.allGroups()
  const groupName = (id: string) => groups.find(({ row }) => row.id === id)?.row.name ?? id
  for (const group of groups) {
    const members = group.row.type === 'internal' ? await identity.membersOf(group) : []
    const { children } = await identity.kinOf(group.row.id)
    model.groups.set(group.row.name, {
      members: new Set(members.map((id) => nameOf.get(id) ?? id)),
      groups: new Set(children.map(groupName)),
      external: group.row.type === 'external',
      ...(group.row.alias && { alias: group.row.alias.name }),
    })
  }
  return model
}

const refused = async (run: () => unknown): Promise<boolean> => {
  try {
    await run()
    return false
  } catch (error) {
    if (error instanceof Refusal && error.status !== 400) throw error
    if (error instanceof Refusal || (error instanceof Error && error.message === 'refused')) return true
    throw error
  }
}

it('does what the model says, on whichever of two nodes, and leaves no row that leads nowhere', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(operations, fc.boolean()), { maxLength: 40 }), async (steps) => {
      const one = await openIdentity()
      const two = await openIdentity({ backend: one.backend, clock: one.clock })
      const model = emptyModel()
      for (const [operation, elsewhere] of steps) {
        const { identity } = elsewhere ? two : one
        const due = await refused(() => foresee(model, operation))
        expect(await refused(() => perform(identity, operation)), JSON.stringify(operation)).toBe(due)
      }
      for (const { identity } of [one, two]) expect(shown(await observed(identity))).toEqual(shown(model))
      expect(await inconsistencies(one.barrier)).toEqual([])
    }),
    { numRuns: 60 },
  )
})

it('holds together when two nodes do different things at the same time', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(operations, operations), { maxLength: 20 }), async (pairs) => {
      const one = await openIdentity()
      const two = await openIdentity({ backend: one.backend, clock: one.clock })
      for (const [here, there] of pairs) {
        await Promise.all([refused(() => perform(one.identity, here)), refused(() => perform(two.identity, there))])
      }
      expect(await inconsistencies(one.barrier)).toEqual([])
      expect(shown(await observed(one.identity))).toEqual(shown(await observed(two.identity)))
    }),
    { numRuns: 60 },
  )
})

it('holds together after a process died at any of its commits', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(operations, { minLength: 4, maxLength: 25 }),
      fc.integer({ min: 1, max: 40 }),
      fc.constantFrom('before' as const, 'after' as const),
      async (steps, at, when) => {
        const clock = new FakeClock()
        const backend = openMemory({ clock, random: systemRandom })
        await openIdentity({ backend, clock })
        const dying = await openIdentity({ backend: crashing(backend, at, when), clock })
        for (const operation of steps) {
          try {
            await refused(() => perform(dying.identity, operation))
          } catch {
            break
          }
        }
        const next = await openIdentity({ backend, clock })
        await next.identity.tick(new AbortController().signal)
        expect(await inconsistencies(next.barrier)).toEqual([])
      },
    ),
    { numRuns: 60 },
  )
})

it('finishes a large deletion that a process died in', async () => {
  for (let at = 0; at < 6; at += 1) {
    const clock = new FakeClock()
    const backend = openMemory({ clock, random: systemRandom })
    const node = await openIdentity({ backend, clock })
    const bob = await node.identity.entities.upsert({ name: 'bob' })
    const id = bob?.id ?? ''
    for (let i = 0; i < 110; i += 1) await node.identity.groups.upsert({ name: `g${i}`, memberEntityIds: [id] })
    const dying = await openIdentity({ backend: crashing(backend, at, 'after'), clock })
    await dying.identity.entities.delete(id).catch(() => undefined)
    const next = await openIdentity({ backend, clock })
    expect(await next.identity.entities.byId(id)).toBeUndefined()
    await next.identity.tick(new AbortController().signal)
    expect(await inconsistencies(next.barrier)).toEqual([])
  }
})

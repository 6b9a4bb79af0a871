import { describe, expect, it } from 'vitest'
import { loginBy, type OpenIdentity, openIdentity, rowsOf, standingNow } from './test-identity.ts'

const signal = new AbortController().signal
const entity = async ({ identity }: OpenIdentity, name: string, more = {}) => {
  const made = await identity.entities.upsert({ name, ...more })
  if (!made) throw new Error(`${name} was there`)
  return made
}
const group = async ({ identity }: OpenIdentity, name: string, more = {}) => {
  const made = await identity.groups.upsert({ name, ...more })
  if (!made) throw new Error(`${name} was there`)
  return made
}
const policies = async (node: OpenIdentity, id: string) => (await standingNow(node, id))?.policies

describe('a name', () => {
  it('belongs to one entity, without case, and follows a rename', async () => {
    const node = await openIdentity()
    const bob = await entity(node, 'Bob')
    const eve = await entity(node, 'eve')
    expect(await node.identity.entities.upsert({ name: 'BOB', policies: ['p'] })).toBeUndefined()
    expect(await node.identity.entities.byName('bob')).toMatchObject({ id: bob.id, name: 'BOB', policies: ['p'] })
    await expect(node.identity.entities.upsert({ id: eve.id, name: 'bob' })).rejects.toThrow(
      'entity name is already in use',
    )
    await node.identity.entities.upsert({ id: eve.id, name: 'adam' })
    expect(await node.identity.entities.byName('eve')).toBeUndefined()
    expect((await node.identity.entities.byName('adam'))?.id).toBe(eve.id)
    await entity(node, 'eve')
  })

  it('that two take at the same time goes to one', async () => {
    const node = await openIdentity()
    const other = await openIdentity({ backend: node.backend, clock: node.clock })
    const made = await Promise.all(
      [node, other, node, other].map(({ identity }) => identity.entities.upsert({ name: 'one' })),
    )
    expect(made.filter((row) => row !== undefined)).toHaveLength(1)
    expect((await rowsOf(node)).filter((key) => key.startsWith('entity/'))).toHaveLength(1)
  })

  it('is refused when it is too long or has control characters', async () => {
    const { identity } = await openIdentity()
    await expect(identity.entities.upsert({ name: 'a\0b' })).rejects.toThrow('control character')
    await expect(identity.entities.upsert({ name: 'x'.repeat(513) })).rejects.toThrow('the limit is 512')
    await expect(identity.groups.upsert({ name: 'x'.repeat(513) })).rejects.toThrow('the limit is 512')
  })
})

describe('input that makes no sense', () => {
  it.each([
    [{ metadata: { '': 'x' } }, 'key cannot be blank'],
    [{ metadata: { 'a b': 'x' } }, 'key contains invalid characters'],
    [{ metadata: JSON.parse('{"__proto__":"x"}') }, 'key contains invalid characters'],
    [{ metadata: { ['k'.repeat(129)]: 'x' } }, 'key is too long (limit: 128 characters)'],
    [{ metadata: { k: 'x'.repeat(513) } }, 'value is too long (limit: 512 characters)'],
    [
      { metadata: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`k${i}`, ''])) },
      'metadata cannot contain more than 64 key/value pairs',
    ],
    [{ policies: ['a', 'root'] }, 'policies cannot contain root'],
    [{ policies: [' Root '] }, 'policies cannot contain root'],
    [{ id: 'ffffffff-0000-4000-8000-000000000000' }, 'entity not found from id'],
    [{ id: '../../x' }, 'entity not found from id'],
  ])('is refused for entities: %#', async (input, message) => {
    const node = await openIdentity()
    await expect(node.identity.entities.upsert(input)).rejects.toMatchObject({ status: 400 })
    await expect(node.identity.entities.upsert(input)).rejects.toThrow(message)
    expect(await rowsOf(node)).toEqual([])
  })

  it('is refused for groups', async () => {
    const node = await openIdentity()
    const { groups } = node.identity
    const ghost = 'ffffffff-0000-4000-8000-000000000000'
    await expect(groups.upsert({ type: 'odd' })).rejects.toThrow('invalid group type "odd"')
    await expect(groups.upsert({ id: ghost })).rejects.toThrow('invalid group ID')
    await expect(groups.upsert({ memberEntityIds: [ghost] })).rejects.toThrow(`invalid entity ID "${ghost}"`)
    await expect(groups.upsert({ memberEntityIds: ['a/b'] })).rejects.toThrow('invalid entity ID "a/b"')
    await expect(groups.upsert({ memberGroupIds: [ghost] })).rejects.toThrow(`invalid member group ID "${ghost}"`)
    await expect(groups.upsert({ type: 'external', memberEntityIds: [] })).rejects.toThrow(
      "member entities can't be set manually for external groups",
    )
    await expect(groups.upsert({ type: 'external', memberGroupIds: [] })).rejects.toThrow(
      "member groups can't be set for external groups",
    )
    await expect(groups.upsert({ policies: ['ROOT'] })).rejects.toThrow('policies cannot contain root')
    const made = await group(node, 'g')
    await expect(groups.upsert({ id: made.id, type: 'external' })).rejects.toThrow('group type cannot be changed')
    await group(node, 'h')
    await expect(groups.upsert({ id: made.id, name: 'H' })).rejects.toThrow('group name is already in use')
  })

  it('is refused for aliases', async () => {
    const node = await openIdentity()
    const { aliases } = node.identity
    const mountAccessor = 'auth_userpass_1'
    const [one, two] = [await entity(node, 'one'), await entity(node, 'two')]
    await aliases.upsert({ name: 'a', mountAccessor, canonicalId: one.id })
    const b = await aliases.upsert({ name: 'b', mountAccessor, canonicalId: two.id })
    await expect(aliases.upsert({ name: 'a' })).rejects.toThrow("'id' or 'mount_accessor' and 'name' must be provided")
    await expect(aliases.upsert({ name: 'a', mountAccessor: 'x' })).rejects.toThrow('invalid mount accessor "x"')
    await expect(aliases.upsert({ id: 'none', name: 'x' })).rejects.toThrow('invalid alias ID provided')
    await expect(aliases.upsert({ name: 'z', mountAccessor, canonicalId: 'none' })).rejects.toThrow(
      'invalid canonical ID',
    )
    await expect(aliases.upsert({ name: 'z', mountAccessor, canonicalId: one.id })).rejects.toThrow(
      'Alias already exists for requested entity and mount accessor',
    )
    await expect(aliases.upsert({ id: b?.id, name: 'A' })).rejects.toThrow(
      'alias with combination of mount accessor and name already exists',
    )
    await expect(aliases.upsert({ id: b?.id, canonicalId: 'none' })).rejects.toThrow(
      "given 'canonical_id' is not associated with an entity",
    )
    await expect(aliases.upsert({ id: b?.id, canonicalId: one.id })).rejects.toThrow(
      'Alias cannot be updated as the given entity already has an alias for this mount',
    )
    const c = await aliases.upsert({ name: 'c', mountAccessor: 'auth_jwt_1', canonicalId: two.id })
    await expect(aliases.upsert({ id: c?.id, mountAccessor })).rejects.toThrow(
      "Alias cannot be updated as the entity already has an alias for the given 'mount_accessor'",
    )
    const custom = { '': 'x', k: '', ['k'.repeat(129)]: 'y', n: 'a\u0007' }
    await expect(aliases.upsert({ id: b?.id, customMetadata: custom })).rejects.toThrow('4 errors occurred:')
  })
})

describe('an alias', () => {
  it('is found again by its mount and name, changed by its id, and does nothing when nothing changes', async () => {
    const node = await openIdentity()
    const { aliases, entities } = node.identity
    const mountAccessor = 'auth_userpass_1'
    const made = await aliases.upsert({ name: 'Bob', mountAccessor })
    expect(await aliases.upsert({ name: 'bob', mountAccessor, canonicalId: made?.canonicalId })).toMatchObject(
      made ?? {},
    )
    expect(await aliases.upsert({ id: made?.id })).toBeUndefined()
    expect(await aliases.upsert({ id: made?.id, customMetadata: { a: 'b' } })).toEqual(made)
    expect((await entities.byAlias(mountAccessor, 'BOB'))?.aliases[0]?.customMetadata).toEqual({ a: 'b' })
    const eve = await entity(node, 'eve')
    expect(await aliases.upsert({ id: made?.id, canonicalId: eve.id })).toEqual({ id: made?.id, canonicalId: eve.id })
    expect((await entities.byAlias(mountAccessor, 'bob'))?.id).toBe(eve.id)
    expect((await entities.byId(made?.canonicalId ?? ''))?.aliases).toEqual([])
    await aliases.delete(made?.id ?? '')
    await aliases.delete('never')
    expect(await entities.byAlias(mountAccessor, 'bob')).toBeUndefined()
    expect((await rowsOf(node)).filter((key) => key.startsWith('alias'))).toEqual([])
  })

  it('goes with its mount, and so do aliases of groups', async () => {
    const node = await openIdentity()
    const { identity } = node
    for (let i = 0; i < 5; i += 1) await identity.login(loginBy(`u${i}`))
    const kept = await identity.login(loginBy('u0', { mountAccessor: 'auth_jwt_1' }))
    await identity.groupAliases.upsert({ name: 'devs', mountAccessor: 'auth_userpass_1', canonicalId: '' })
    await identity.sweepMount('auth_userpass_1', signal)
    const left = (await rowsOf(node)).filter((key) => /^(alias|group-alias|vouched)/.test(key))
    expect(left.filter((key) => key.includes('auth_userpass_1'))).toEqual([])
    expect(left).toHaveLength(2)
    expect((await identity.entities.byAlias('auth_jwt_1', 'u0'))?.id).toBe(kept)
  })
})

describe('a login', () => {
  it('makes one entity however many come first at the same time, on two nodes', async () => {
    const node = await openIdentity()
    const other = await openIdentity({ backend: node.backend, clock: node.clock })
    const ids = await Promise.all([node, other, node, other].map(({ identity }) => identity.login(loginBy('bob'))))
    expect(new Set(ids).size).toBe(1)
    expect((await rowsOf(node)).filter((key) => key.startsWith('entity'))).toHaveLength(2)
  })

  it('writes nothing when nothing changed, and metadata when it did', async () => {
    const node = await openIdentity()
    const login = (metadata: Record<string, string>) => node.identity.login(loginBy('bob', { metadata }))
    const id = await login({ role: 'a' })
    const [before] = await node.barrier.read([{ key: node.identity.entityKey(id) }])
    await login({ role: 'a' })
    const [same] = await node.barrier.read([{ key: node.identity.entityKey(id) }])
    expect(same).toEqual(before)
    expect(await login({ role: 'b' })).toBe(id)
    expect((await node.identity.entities.byId(id))?.aliases[0]?.metadata).toEqual({ role: 'b' })
  })

  it('of a disabled entity is refused, changed metadata or not', async () => {
    const { identity } = await openIdentity()
    const id = await identity.login(loginBy('bob'))
    await identity.entities.upsert({ id, disabled: true })
    for (const metadata of [{}, { a: 'b' }] as Record<string, string>[]) {
      await expect(identity.login(loginBy('bob', { metadata }))).rejects.toMatchObject({ status: 403 })
    }
  })

  it('brings and takes memberships of external groups without touching a group', async () => {
    const node = await openIdentity()
    const { identity } = node
    const devs = await group(node, 'devs', { type: 'external', policies: ['dev'] })
    const ops = await group(node, 'ops', { type: 'external', policies: ['op'] })
    const all = await group(node, 'all', { policies: ['all'], memberGroupIds: [devs.id] })
    for (const [name, canonicalId] of [
      ['AD-Devs', devs.id],
      ['AD-Ops', ops.id],
    ] as const) {
      await identity.groupAliases.upsert({ name, mountAccessor: 'auth_userpass_1', canonicalId })
    }
    const epoch = async () => (await node.barrier.read([{ key: 'ns/root/epoch/groups' }]))[0]
    const before = await epoch()
    const id = await identity.login(loginBy('bob', { groups: ['ad-devs', 'unknown', 'AD-Devs'] }))
    expect(await policies(node, id)).toEqual(['all', 'dev'])
    const found = await identity.group(devs.id)
    expect(found && (await identity.membersOf(found))).toEqual([id])
    await identity.login(loginBy('bob'))
    expect(await policies(node, id)).toEqual(['all', 'dev'])
    await identity.login(loginBy('bob', { groups: ['AD-Ops'] }))
    expect(await policies(node, id)).toEqual(['op'])
    expect(found && (await identity.membersOf(found))).toEqual([])
    await identity.login(loginBy('bob', { groups: [] }))
    expect(await policies(node, id)).toEqual([])
    expect(await epoch()).toEqual(before)
    expect((await rowsOf(node)).filter((key) => key.startsWith('vouched/'))).toEqual([])
    expect((await identity.kinOf(devs.id)).parents).toEqual([all.id])
  })

  it('with more external groups than a commit can carry gets and loses them all', async () => {
    const node = await openIdentity()
    const { identity } = node
    const names = Array.from({ length: 260 }, (_, i) => `g${i}`)
    for (const name of names) {
      await identity.groupAliases.upsert({ name, mountAccessor: 'auth_userpass_1', canonicalId: '' })
    }
    const id = await identity.login(loginBy('bob', { groups: names }))
    expect((await identity.entities.byId(id))?.aliases[0]?.groups).toHaveLength(260)
    expect((await rowsOf(node)).filter((key) => key.startsWith('vouched/'))).toHaveLength(260)
    const { alias } = (await identity.aliases.all().next()).value
    await identity.aliases.delete(alias.id)
    expect((await rowsOf(node)).filter((key) => /^(vouched|alias)/.test(key))).toEqual([])
  })
})

describe('groups', () => {
  it('give their policies to members and to members of member groups', async () => {
    const node = await openIdentity()
    const bob = await entity(node, 'bob', { policies: ['own', 'own', ' '] })
    const child = await group(node, 'child', { policies: ['Child'], memberEntityIds: [bob.id, bob.id] })
    const parent = await group(node, 'parent', { policies: ['parent'], memberGroupIds: [child.id] })
    const top = await group(node, 'top', { policies: ['own', 'top'], memberGroupIds: [parent.id] })
    expect(await policies(node, bob.id)).toEqual(['child', 'own', 'parent', 'top'])
    const { direct, inherited } = await node.identity.membershipsOf(bob)
    expect(direct.map((row) => row.id)).toEqual([child.id])
    expect(inherited.map((row) => row.id)).toEqual([parent.id, top.id])
    await node.identity.groups.upsert({ id: parent.id, memberGroupIds: [] })
    expect(await policies(node, bob.id)).toEqual(['child', 'own'])
    await node.identity.groups.delete(child.id)
    expect(await policies(node, bob.id)).toEqual(['own'])
  })

  it('refuse to contain themselves', async () => {
    const node = await openIdentity()
    const a = await group(node, 'a')
    const b = await group(node, 'b', { memberGroupIds: [a.id] })
    const c = await group(node, 'c', { memberGroupIds: [b.id] })
    const put = (id: string, memberGroupIds: string[]) => node.identity.groups.upsert({ id, memberGroupIds })
    await expect(put(a.id, [c.id])).rejects.toThrow(`cyclic relationship detected for member group ID "${c.id}"`)
    await expect(put(a.id, [a.id])).rejects.toThrow('is same as the ID of the group')
    await put(c.id, [a.id, b.id])
  })

  it('that two nodes put into one another at the same time make no circle', async () => {
    const node = await openIdentity()
    const other = await openIdentity({ backend: node.backend, clock: node.clock })
    const [a, b] = [await group(node, 'a'), await group(node, 'b')]
    const done = await Promise.allSettled([
      node.identity.groups.upsert({ id: a.id, memberGroupIds: [b.id] }),
      other.identity.groups.upsert({ id: b.id, memberGroupIds: [a.id] }),
    ])
    expect(done.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })

  it('of 10,000 members are set in one commit, and one of them leaves in another', async () => {
    const node = await openIdentity()
    const members: string[] = []
    for (let i = 0; i < 60; i += 1) members.push((await entity(node, `e${i}`)).id)
    const made = await group(node, 'big', { policies: ['big'], memberEntityIds: members })
    // Who is a member already is not asked about again, so that the test need not make 10,000 entities.
    const view = node.barrier.view('ns/root/identity/')
    const many = [...members, ...Array.from({ length: 10_000 }, (_, i) => `m-${i}`)].sort()
    await view.transaction(async (tx) => {
      for (const id of many.filter((one) => one.startsWith('m-')).slice(0, 200)) {
        tx.put(view, `entity/${id}`, {
          ...JSON.parse(JSON.stringify(await node.identity.entities.byId(members[0] ?? ''))),
          id,
        })
      }
    })
    await expect(node.identity.groups.upsert({ id: made.id, memberEntityIds: many })).rejects.toThrow(
      'invalid entity ID',
    )
    for (let i = 0; i < many.length; i += 200) {
      await view.transaction(async (tx) => {
        for (const id of many.slice(i, i + 200)) {
          const row = { ...JSON.parse(JSON.stringify(await node.identity.entities.byId(members[0] ?? ''))) }
          if (id.startsWith('m-')) tx.put(view, `entity/${id}`, { ...row, id, name: id })
        }
      })
    }
    await node.identity.groups.upsert({ id: made.id, memberEntityIds: many })
    const members2 = async () => {
      const found = await node.identity.group(made.id)
      return found ? node.identity.membersOf(found) : []
    }
    expect((await members2()).sort()).toEqual(many)
    expect((await rowsOf(node)).filter((key) => key.startsWith('members/'))).toHaveLength(2)
    await node.identity.entities.delete(members[7] ?? '')
    expect(await members2()).toHaveLength(many.length - 1)
    const other = await openIdentity({ backend: node.backend, clock: node.clock })
    expect(await policies(other, members[8] ?? '')).toEqual(['big'])
    await node.identity.groups.upsert({ id: made.id, memberEntityIds: [members[8] ?? ''] })
    expect(await policies(other, members[8] ?? '')).toEqual(['big'])
    expect(await policies(other, 'm-5')).toEqual([])
    expect((await rowsOf(node)).filter((key) => key.startsWith('members/'))).toEqual([])
  })
})

describe('an alias of a group', () => {
  it('needs an external group, makes one when there is none, and moves', async () => {
    const node = await openIdentity()
    const { groupAliases } = node.identity
    const mountAccessor = 'auth_jwt_1'
    const internal = await group(node, 'internal')
    const put = (name: string, canonicalId: string, id?: string) =>
      groupAliases.upsert({ name, mountAccessor, canonicalId, ...(id && { id }) })
    await expect(put('x', internal.id)).rejects.toThrow("alias can't be set on an internal group")
    await expect(put('x', 'none')).rejects.toThrow("invalid group ID given in 'canonical_id'")
    await expect(put('', '')).rejects.toThrow('missing alias name')
    await expect(groupAliases.upsert({ name: 'x', mountAccessor: '', canonicalId: '' })).rejects.toThrow(
      'missing mount_accessor',
    )
    await expect(groupAliases.upsert({ name: 'x', mountAccessor: 'no', canonicalId: '' })).rejects.toThrow(
      'invalid mount accessor "no"',
    )
    await expect(put('x', '', 'none')).rejects.toThrow('invalid group alias ID')
    const made = await put('x', '')
    expect((await node.identity.group(made?.canonicalId))?.row).toMatchObject({
      type: 'external',
      alias: { name: 'x' },
    })
    await expect(put('X', '')).rejects.toThrow('combination of mount and group alias name is already in use')
    expect(await put('x', '', made?.id)).toBeUndefined()
    const other = await group(node, 'other', { type: 'external' })
    expect(await put('x', other.id, made?.id)).toEqual({ id: made?.id, canonicalId: other.id })
    expect((await node.identity.group(made?.canonicalId))?.row.alias).toBeUndefined()
    expect(await node.identity.groups.byAliasId(made?.id ?? '')).toBe(other.id)
    const second = await put('y', other.id)
    expect(await node.identity.groups.byAliasId(made?.id ?? '')).toBeUndefined()
    expect(await node.identity.groupByAlias(mountAccessor, 'x')).toBeUndefined()
    await groupAliases.delete(second?.id ?? '')
    expect((await rowsOf(node)).filter((key) => key.startsWith('group-alias'))).toEqual([])
  })
})

describe('what an entity is worth', () => {
  it('is the same object until its row or a group changes, and never older than the versions asked with', async () => {
    const node = await openIdentity()
    const other = await openIdentity({ backend: node.backend, clock: node.clock })
    const bob = await entity(node, 'bob')
    const first = await standingNow(node, bob.id)
    expect(await standingNow(node, bob.id)).toBe(first)
    await group(other, 'g', { policies: ['g'], memberEntityIds: [bob.id] })
    expect(await policies(node, bob.id)).toEqual(['g'])
    await other.identity.entities.upsert({ id: bob.id, disabled: true, policies: ['p'] })
    expect(await standingNow(node, bob.id)).toMatchObject({ disabled: true, policies: ['g', 'p'] })
    await other.identity.entities.delete(bob.id)
    expect(await standingNow(node, bob.id)).toBeUndefined()
  })

  it('fills templates with what is there, and with nothing else', async () => {
    const node = await openIdentity()
    const { identity } = node
    const id = await identity.login(loginBy('Bob', { metadata: { role: 'r', 'a.b': 'dotted' } }))
    await identity.entities.upsert({ id, name: 'bob', metadata: { team: 't' } })
    const alias = (await identity.entities.byId(id))?.aliases[0]
    await identity.aliases.upsert({ id: alias?.id, customMetadata: { c: 'custom' } })
    const dotted = await group(node, 'a.b', { metadata: { k: 'v' }, memberEntityIds: [id] })
    await group(node, 'a', { metadata: { k: 'short' }, memberGroupIds: [dotted.id] })
    await group(node, 'stranger', { metadata: { k: 'no' } })
    const standing = await standingNow(node, id)
    const values: Record<string, string | undefined> = {
      'identity.entity.id': id,
      'identity.entity.name': 'bob',
      'identity.entity.metadata.team': 't',
      'identity.entity.metadata.none': undefined,
      'identity.entity.metadata.constructor': undefined,
      'identity.entity.metadata.__proto__': undefined,
      'identity.entity.aliases.auth_userpass_1.id': alias?.id,
      'identity.entity.aliases.auth_userpass_1.name': 'Bob',
      'identity.entity.aliases.auth_userpass_1.metadata.role': 'r',
      'identity.entity.aliases.auth_userpass_1.metadata.a.b': 'dotted',
      'identity.entity.aliases.auth_userpass_1.custom_metadata.c': 'custom',
      'identity.entity.aliases.auth_jwt_1.name': undefined,
      'identity.entity.policies': undefined,
      [`identity.groups.ids.${dotted.id}.name`]: 'a.b',
      [`identity.groups.ids.${dotted.id}.metadata.k`]: 'v',
      'identity.groups.names.a.b.id': dotted.id,
      'identity.groups.names.a.b.metadata.k': 'v',
      'identity.groups.names.a.metadata.k': 'short',
      'identity.groups.names.stranger.metadata.k': undefined,
      'something.else': undefined,
      '': undefined,
    }
    for (const [name, value] of Object.entries(values)) expect(standing?.template(name), name).toBe(value)
  })

  it('stays apart between namespaces', async () => {
    const node = await openIdentity()
    const team = await openIdentity({ backend: node.backend, clock: node.clock, namespaceId: 'abc123' })
    const mine = await node.identity.login(loginBy('bob'))
    const theirs = await team.identity.login(loginBy('bob'))
    expect(theirs).not.toBe(mine)
    expect(await team.identity.entities.byId(mine)).toBeUndefined()
    await expect(team.identity.groups.upsert({ memberEntityIds: [mine] })).rejects.toThrow('invalid entity ID')
    const row = await team.identity.entities.upsert({ name: 'x' })
    expect(team.identity.entityKey(row?.id ?? '')).toMatch(/^ns\/abc123\/identity\/entity\//)
    expect((await rowsOf(node)).filter((key) => key.includes(theirs))).toEqual([])
  })
})

describe('an entity that goes', () => {
  it('leaves nothing behind, whatever it had', async () => {
    const node = await openIdentity()
    const { identity } = node
    const devs = await identity.groupAliases.upsert({ name: 'd', mountAccessor: 'auth_jwt_1', canonicalId: '' })
    const before = (await rowsOf(node)).filter((key) => !key.startsWith('guard'))
    const id = await identity.login(loginBy('bob', { mountAccessor: 'auth_jwt_1', groups: ['d'] }))
    await identity.aliases.upsert({ name: 'b', mountAccessor: 'auth_userpass_1', canonicalId: id })
    const made = await group(node, 'g', { memberEntityIds: [id] })
    await identity.entities.delete(id)
    await identity.entities.delete(id)
    const found = await identity.group(made.id)
    expect(found && (await identity.membersOf(found))).toEqual([])
    await identity.groups.delete(made.id)
    expect((await rowsOf(node)).filter((key) => !key.startsWith('guard'))).toEqual(before)
    expect(devs).toBeDefined()
  })

  it('in more groups than a commit can carry is gone at once and out of all of them at the end', async () => {
    const node = await openIdentity()
    const bob = await entity(node, 'bob')
    for (let i = 0; i < 130; i += 1) await group(node, `g${i}`, { memberEntityIds: [bob.id] })
    await node.identity.entities.delete(bob.id)
    const groups = await node.identity.allGroups()
    expect(groups.filter(({ row }) => row.members.length > 0)).toEqual([])
    expect((await rowsOf(node)).filter((key) => key.startsWith('erase/'))).toEqual([])
  })
})

describe('a merge', () => {
  const mountAccessor = 'auth_userpass_1'
  const aliasFor = async ({ identity }: OpenIdentity, name: string, canonicalId: string, accessor = mountAccessor) =>
    (await identity.aliases.upsert({ name, mountAccessor: accessor, canonicalId }))?.id ?? ''

  it('gives aliases, groups and tokens to the one that stays, and neither policies nor metadata', async () => {
    const node = await openIdentity()
    const { identity } = node
    const to = await entity(node, 'to', { policies: ['to'], metadata: { k: 'to' } })
    const from = await entity(node, 'from', { policies: ['from'], metadata: { k: 'from' } })
    const older = await entity(node, 'older')
    const alias = await aliasFor(node, 'a', from.id)
    const made = await group(node, 'g', { policies: ['g'], memberEntityIds: [from.id] })
    await identity.merge({ to: from.id, from: [older.id], keep: [] })
    await identity.merge({ to: to.id, from: [from.id, from.id], keep: [] })
    const after = await identity.entities.byId(to.id)
    expect(after).toMatchObject({ policies: ['to'], metadata: { k: 'to' }, mergedIds: [older.id, from.id] })
    expect(after?.aliases).toMatchObject([{ id: alias, mergedFrom: [from.id] }])
    expect(await identity.entities.byId(from.id)).toBeUndefined()
    expect(await identity.entities.byName('from')).toBeUndefined()
    const found = await identity.group(made.id)
    expect(found && (await identity.membersOf(found))).toEqual([to.id])
    for (const id of [to.id, from.id, older.id]) expect(await policies(node, id)).toEqual(['g', 'to'])
    const standing = await standingNow(node, older.id)
    expect(standing?.depends.map(({ key }) => key)).toEqual([from.id, to.id].map((id) => identity.entityKey(id)))
    expect(standing?.template('identity.entity.id')).toBe(to.id)
    await identity.entities.upsert({ id: to.id, policies: ['changed'] })
    expect(await policies(node, older.id)).toEqual(['changed', 'g'])
    await identity.entities.delete(to.id)
    expect(await standingNow(node, older.id)).toBeUndefined()
  })

  it('asks which of two aliases on one mount stays, and says which there are', async () => {
    const node = await openIdentity()
    const { identity } = node
    const [to, from] = [await entity(node, 'to'), await entity(node, 'from')]
    const [ours, theirs] = [await aliasFor(node, 'a', to.id), await aliasFor(node, 'b', from.id)]
    const refusal = await identity.merge({ to: to.id, from: [from.id], keep: [] }).catch((error) => error)
    expect(refusal.status).toBe(400)
    expect(refusal.message).toBe(
      `2 errors occurred:\n\t* toEntity and at least one fromEntity have aliases with the same mount accessor, repeat the merge request specifying exactly one fromEntity, clashes: \n\t* mountAccessor: ${mountAccessor}, toEntity ID: ${to.id}, fromEntity ID: ${from.id}, conflicting toEntity alias ID: ${ours}, conflicting fromEntity alias ID: ${theirs}\n\n`,
    )
    expect(refusal.with.data).toEqual([
      { alias: 'a', entity: 'to', entity_id: to.id, mount: 'userpass', mount_path: 'auth/userpass/' },
      { alias: 'b', entity: 'from', entity_id: from.id, mount: 'userpass', mount_path: 'auth/userpass/' },
    ])
    await expect(identity.merge({ to: to.id, from: [from.id], keep: ['other'] })).rejects.toThrow(
      `neither were present in conflicting_alias_ids_to_keep: ${theirs}, ${ours}`,
    )
    await identity.merge({ to: to.id, from: [from.id], keep: [theirs] })
    expect((await identity.entities.byId(to.id))?.aliases.map(({ id }) => id)).toEqual([theirs])
    expect(await identity.entities.byAlias(mountAccessor, 'a')).toBeUndefined()
    const third = await entity(node, 'third')
    const gone = await aliasFor(node, 'c', third.id)
    await identity.merge({ to: to.id, from: [third.id], keep: [theirs] })
    expect(await identity.entities.byAliasId(gone)).toBeUndefined()
  })

  it('refuses what it cannot mean', async () => {
    const node = await openIdentity()
    const { identity } = node
    const [a, b, c] = [await entity(node, 'a'), await entity(node, 'b'), await entity(node, 'c')]
    const refused = async (request: Parameters<typeof identity.merge>[0], text: string) => {
      await expect(identity.merge(request)).rejects.toMatchObject({ status: 400 })
      await expect(identity.merge(request)).rejects.toThrow(text)
    }
    await refused({ to: '', from: [a.id], keep: [] }, 'missing entity id to merge to')
    await refused({ to: a.id, from: [], keep: [] }, 'missing entity ids to merge from')
    await refused({ to: 'none', from: [a.id], keep: [] }, 'entity id to merge to is invalid')
    await refused({ to: a.id, from: ['none'], keep: [] }, 'entity id to merge from is invalid')
    await refused({ to: a.id, from: [a.id], keep: [] }, 'to_entity_id should not be present in from_entity_ids')
    await refused({ to: a.id, from: [b.id, c.id], keep: ['x', 'y'] }, 'merge one entity at a time')
    await aliasFor(node, 'b', b.id)
    await aliasFor(node, 'c', c.id)
    await refused({ to: a.id, from: [b.id, c.id], keep: [] }, 'found in multiple fromEntities')
    for (let i = 0; i < 70; i += 1) await group(node, `g${i}`, { memberEntityIds: [b.id] })
    await refused({ to: a.id, from: [b.id], keep: [] }, 'this merge changes 214 rows, the limit is 200')
  })
})

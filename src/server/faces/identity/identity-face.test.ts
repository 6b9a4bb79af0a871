import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Json, JsonObject } from '../../../lib/json/value.ts'
import { type Call, Refusal, type Reply, type Verb } from '../../contracts/request.ts'
import { loginBy, openIdentity } from '../../identity/test-identity.ts'
import { RouteTable } from '../../mounts/route-table.ts'
import { convertFields } from '../../pipeline/input/fields.ts'
import { PresentedTokens } from '../../tokens/presented-tokens.ts'
import { createIdentityFace } from './identity-face.ts'

/** As the pipeline would call it: routed, with converted input. */
async function openFace() {
  const node = await openIdentity()
  const tokens = { create: () => Promise.reject(new Error('no tokens in this test')) }
  const routes = new RouteTable(createIdentityFace({ ...node, tokens, presented: new PresentedTokens() }).routes)
  const caller = { entityId: '' }
  const warnings: string[] = []
  const ask = async (verb: Verb, path: string, body: JsonObject = {}): Promise<Reply & { data?: Json }> => {
    const match = routes.match(path, verb)
    const operation = match?.route.on[verb]
    if (!match || !operation) throw new Error(`no ${verb} ${path}`)
    const { input, unknown } = convertFields(operation.input, body, match.params)
    expect(unknown).toEqual([])
    const call: Partial<Call<never>> = {
      params: match.params,
      input: input as never,
      signal: new AbortController().signal,
      now: node.clock.now(),
      caller: { entityId: caller.entityId } as never,
      warn: (text) => warnings.push(text),
    }
    return operation.handle(call as Call<never>)
  }
  const data = async (verb: Verb, path: string, body?: JsonObject) => {
    const reply = await ask(verb, path, body)
    if (reply.kind !== 'data') throw new Error(`${verb} ${path} answered ${reply.kind}`)
    return JSON.parse(JSON.stringify(reply.data))
  }
  return { ...node, ask, data, caller, warnings }
}

type Recorded = {
  request: { method: string; path: string; body?: JsonObject }
  response: { status: number; body: { data: JsonObject } | null }
}
const recording: Recorded[] = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../../../test/recorded/wire/09-identity.json'), 'utf8'),
)
const verbs: Record<string, Verb> = { GET: 'read', POST: 'update', LIST: 'list', DELETE: 'delete' }
/** Ids and times differ from run to run; their form does not. */
const form = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value)
      .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'ID')
      .replace(/\d{4}-\d\d-\d\dT[\d:]+(\.\d+)?Z/g, 'TIME')
      .replace(/auth_userpass_\w+/g, 'ACCESSOR')
      .replace(/entity_[0-9a-f]{8}/g, 'NAME'),
  )

describe('the recorded exchanges', () => {
  it('are answered alike', async () => {
    const face = await openFace()
    // What the recorded session had before: a login by approle and one by userpass.
    await face.identity.login(loginBy('3d44bb0a-25d8-c3a4-dd2b-cb75356344bf', { mountAccessor: 'auth_approle_1' }))
    await face.identity.login(loginBy('bob'))
    const values = new Map([['acc', 'auth_userpass_1']])
    const fill = <T>(value: T): T =>
      JSON.parse(JSON.stringify(value).replace(/\$\{(\w+)\}/g, (_, name: string) => values.get(name) ?? '?'))
    const compared: number[] = []
    for (const [i, { request, response }] of recording.entries()) {
      if (!request.path.startsWith('/v1/identity/') || request.path.includes('/oidc/')) continue
      const path = fill(request.path).slice('/v1/identity/'.length)
      const reply = await face.ask(verbs[request.method] ?? 'read', path, fill(request.body ?? {}))
      compared.push(i)
      const expected = response.body && 'data' in response.body ? response.body.data : undefined
      if (!expected) {
        expect(reply.kind, path).toBe('none')
        continue
      }
      if (i === 0 && 'data' in reply) values.set('eid', String(Object(reply.data)['id']))
      if (i === 7 && 'data' in reply) values.set('alid', String(Object(reply.data)['id']))
      if (i === 9 && 'data' in reply) values.set('gid', String(Object(reply.data)['id']))
      const given = form('data' in reply ? reply.data : undefined) as Record<string, unknown>
      if (request.method === 'LIST')
        expect(Object.keys(given).sort()).toEqual(Object.keys(form(expected) as object).sort())
      else expect(given, `${i}: ${path}`).toEqual(form(expected))
    }
    expect(compared).toHaveLength(15)
  })
})

describe('lists', () => {
  it('by id tell name and aliases, by name the names in the order of the ids, and go on after an id', async () => {
    const { data, ask, identity } = await openFace()
    expect(await ask('list', 'entity/id/')).toEqual({ kind: 'data', data: { keys: [] } })
    const bob = await identity.login(loginBy('bob'))
    const eve = (await data('update', 'entity', { name: 'eve' })).id
    const all = await data('list', 'entity/id')
    expect(all.keys).toEqual([bob, eve].sort())
    expect(all.key_info[eve]).toEqual({ name: 'eve' })
    expect(all.key_info[bob].aliases).toMatchObject([
      { name: 'bob', mount_accessor: 'auth_userpass_1', mount_path: 'auth/userpass/', mount_type: 'userpass' },
    ])
    const names = await data('list', 'entity/name')
    expect(Object.keys(names)).toEqual(['keys'])
    expect(names.keys).toEqual(all.keys.map((id: string) => all.key_info[id].name))
    expect((await data('list', 'entity/id', { limit: '1' })).keys).toEqual(all.keys.slice(0, 1))
    expect((await data('list', 'entity/id', { after: all.keys[0] })).keys).toEqual(all.keys.slice(1))
    expect(await ask('list', 'entity/id', { limit: -1 })).toEqual(await ask('list', 'entity/id'))
    const aliases = await data('list', 'entity-alias/id')
    expect(aliases.key_info[aliases.keys[0]]).toEqual({
      canonical_id: bob,
      custom_metadata: null,
      local: false,
      mount_accessor: 'auth_userpass_1',
      mount_path: 'auth/userpass/',
      mount_type: 'userpass',
      name: 'bob',
    })
  })

  it('of groups count members and parents, and of group aliases tell their mounts', async () => {
    const { data, identity } = await openFace()
    const alias = await data('update', 'group-alias', { name: 'devs', mount_accessor: 'auth_jwt_1' })
    const bob = await identity.login(loginBy('bob', { mountAccessor: 'auth_jwt_1', groups: ['devs'] }))
    const all = await data('update', 'group', {
      name: 'all',
      member_group_ids: alias.canonical_id,
      member_entity_ids: [bob],
    })
    const list = await data('list', 'group/id')
    expect(list.key_info[all.id]).toEqual({ name: 'all', num_member_entities: 1, num_parent_groups: 0 })
    expect(list.key_info[alias.canonical_id]).toMatchObject({
      num_member_entities: 1,
      num_parent_groups: 1,
      alias: { id: alias.id, name: 'devs', mount_path: 'auth/jwt/', mount_type: 'jwt', mount_accessor: 'auth_jwt_1' },
    })
    expect((await data('list', 'group/name')).keys).toContain('all')
    expect((await data('list', 'group-alias/id')).key_info[alias.id]).toMatchObject({ name: 'devs', mount_type: 'jwt' })
    expect(await data('read', `group-alias/id/${alias.id}`)).toMatchObject({
      canonical_id: alias.canonical_id,
      name: 'devs',
      merged_from_canonical_ids: null,
      namespace_id: 'root',
    })
    expect(await data('read', `group/id/${alias.canonical_id}`)).toMatchObject({
      type: 'external',
      member_entity_ids: [bob],
      parent_group_ids: [all.id],
      alias: { id: alias.id, name: 'devs', canonical_id: alias.canonical_id },
    })
  })
})

describe('lookups', () => {
  it('find by each of the four ways, and answer nothing for what is not there', async () => {
    const { ask, data, identity } = await openFace()
    const id = await identity.login(loginBy('bob'))
    const entity = await data('read', `entity/id/${id}`)
    const alias = entity.aliases[0].id
    const ways = [
      { id },
      { name: entity.name },
      { alias_id: alias },
      { alias_name: 'BOB', alias_mount_accessor: 'auth_userpass_1' },
    ]
    for (const way of ways) expect((await data('update', 'lookup/entity', way)).id).toBe(id)
    const group = await data('update', 'group-alias', { name: 'devs', mount_accessor: 'auth_jwt_1' })
    const name = (await data('read', `group/id/${group.canonical_id}`)).name
    const groupWays = [
      { id: group.canonical_id },
      { name },
      { alias_id: group.id },
      { alias_name: 'devs', alias_mount_accessor: 'auth_jwt_1' },
    ]
    for (const way of groupWays) expect((await data('update', 'lookup/group', way)).id).toBe(group.canonical_id)
    for (const kind of ['entity', 'group']) {
      for (const way of [
        { id: '../x' },
        { name: 'no' },
        { alias_id: '' },
        { alias_name: 'a', alias_mount_accessor: '/' },
      ]) {
        expect(await ask('update', `lookup/${kind}`, way)).toEqual({ kind: 'none' })
      }
      await expect(ask('update', `lookup/${kind}`)).rejects.toThrow('query parameter not supplied')
      await expect(ask('update', `lookup/${kind}`, { id, name: 'x' })).rejects.toThrow('query parameter conflict')
      await expect(ask('update', `lookup/${kind}`, { alias_name: 'x' })).rejects.toThrow(
        "both 'alias_name' and 'alias_mount_accessor' needs to be set",
      )
    }
  })
})

describe('the face', () => {
  it('names entities and groups with slashes, and deletes by name, by id and in batches', async () => {
    const { ask, data } = await openFace()
    await data('update', 'entity/name/team/x', { metadata: ['a=b'] })
    expect(await data('read', 'entity/name/TEAM/x')).toMatchObject({ name: 'team/x', metadata: { a: 'b' } })
    expect(await ask('delete', 'entity/name/team/x')).toEqual({ kind: 'none' })
    expect(await ask('read', 'entity/name/team/x')).toEqual({ kind: 'none' })
    const ids = [(await data('update', 'entity', {})).id, (await data('update', 'entity', {})).id]
    await expect(ask('update', 'entity/batch-delete')).rejects.toThrow('missing entity ids to delete')
    await ask('update', 'entity/batch-delete', { entity_ids: [...ids, 'none'] })
    expect((await data('list', 'entity/id')).keys).toEqual([])
    const group = await data('update', 'group/name/a/b', { policies: 'P,q' })
    expect(await data('read', 'group/name/a/b')).toMatchObject({ policies: ['p', 'q'] })
    await ask('delete', 'group/name/none')
    await ask('delete', `group/id/${group.id}`)
    expect(await ask('read', `group/id/${group.id}`)).toEqual({ kind: 'none' })
  })

  it('refuses empty ids as Vault does, and wrong types', async () => {
    const { ask } = await openFace()
    await expect(ask('update', 'group', { id: '' })).rejects.toThrow('empty group ID')
    await expect(ask('update', 'group-alias', { id: '' })).rejects.toThrow('empty group alias ID')
    await expect(ask('update', 'entity', { name: { a: 'b' } })).rejects.toBeInstanceOf(Refusal)
    await expect(ask('update', 'group', { member_entity_ids: { a: 'b' } })).rejects.toBeInstanceOf(Refusal)
    await expect(ask('update', 'entity/merge', {})).rejects.toThrow('missing entity id to merge to')
  })

  it('accepts the old name of canonical_id, and moves and deletes aliases', async () => {
    const { ask, data } = await openFace()
    const { id } = await data('update', 'entity', { name: 'e' })
    const made = await data('update', 'entity-alias', { name: 'a', mount_accessor: 'auth_jwt_1', entity_id: id })
    expect(made.canonical_id).toBe(id)
    expect(await ask('update', `entity-alias/id/${made.id}`, { name: 'a' })).toEqual({ kind: 'none' })
    expect(await data('update', `entity-alias/id/${made.id}`, { custom_metadata: { x: 'y' } })).toEqual(made)
    expect(await data('read', `entity-alias/id/${made.id}`)).toMatchObject({ custom_metadata: { x: 'y' } })
    await ask('delete', `entity-alias/id/${made.id}`)
    expect(await ask('read', `entity-alias/id/${made.id}`)).toEqual({ kind: 'none' })
  })
})

describe('oidc', () => {
  it('answers the recorded exchanges alike', async () => {
    const face = await openFace()
    const [put, role, read, config, keys] = recording.slice(14, 19)
    for (const step of [put, role]) {
      const path = step?.request.path.slice('/v1/identity/'.length) ?? ''
      expect(await face.ask('update', path, step?.request.body)).toEqual({ kind: 'none' })
    }
    const shown = await face.data('read', 'oidc/role/r1')
    expect({ ...shown, client_id: '' }).toEqual({ ...read?.response.body?.data, client_id: '' })
    expect(shown.client_id).toMatch(/^\w{26}$/)
    const document = await face.ask('read', 'oidc/.well-known/openid-configuration')
    const recorded = JSON.stringify(config?.response.body).replaceAll('http://127.0.0.1:18220', 'https://vault:8200')
    expect(document).toMatchObject({
      kind: 'document',
      headers: { 'Cache-Control': 'max-age=3600' },
      body: JSON.parse(recorded),
    })
    const jwks = await face.ask('read', 'oidc/.well-known/keys')
    const [one] = Object(keys?.response.body).keys
    if (jwks.kind !== 'document') throw new Error('no document')
    const list = Object(jwks.body).keys as object[]
    expect(list).toHaveLength(2)
    for (const key of list) expect(Object.keys(key)).toEqual(Object.keys(one))
  })

  it('gives a token to an entity and says whether one is good', async () => {
    const face = await openFace()
    await face.ask('update', 'oidc/key/k', {
      algorithm: 'EdDSA',
      allowed_client_ids: '*',
      rotation_period: '1h',
      verification_ttl: 7200,
    })
    expect(await face.data('read', 'oidc/key/k')).toEqual({
      algorithm: 'EdDSA',
      allowed_client_ids: ['*'],
      rotation_period: 3600,
      verification_ttl: 7200,
    })
    await face.ask('update', 'oidc/role/r', {
      key: 'k',
      ttl: '1h',
      client_id: 'app',
      template: '{"name": {{identity.entity.name}}}',
    })
    await expect(face.ask('read', 'oidc/token/r')).rejects.toThrow("no entity associated with the request's token")
    await expect(face.ask('read', 'oidc/token/none')).rejects.toThrow('role "none" not found')
    face.caller.entityId = await face.identity.login(loginBy('bob'))
    const made = await face.data('read', 'oidc/token/r')
    expect(made).toMatchObject({ client_id: 'app', ttl: 3600 })
    const claims = JSON.parse(Buffer.from(made.token.split('.')[1], 'base64url').toString())
    expect(claims.name).toBe((await face.identity.entities.byId(face.caller.entityId))?.name)
    const introspect = (body: JsonObject) => face.ask('update', 'oidc/introspect', body)
    expect(await introspect({ token: made.token })).toEqual({ kind: 'document', body: { active: true } })
    expect(await introspect({ token: made.token, client_id: 'other' })).toEqual({
      kind: 'document',
      body: { active: false, error: 'invalid audience claim' },
    })
    await expect(introspect({})).rejects.toThrow('missing token')
    await face.ask('update', 'oidc/key/k/rotate', { verification_ttl: '10m' })
    expect(await introspect({ token: made.token })).toEqual({ kind: 'document', body: { active: true } })
    expect((await face.data('list', 'oidc/key')).keys).toEqual(['default', 'k'])
    expect((await face.data('list', 'oidc/role')).keys).toEqual(['r'])
    await expect(face.ask('delete', 'oidc/key/k')).rejects.toThrow('currently referenced by these roles: r')
    await face.ask('delete', 'oidc/role/r')
    await face.ask('delete', 'oidc/key/k')
    expect(await face.ask('read', 'oidc/key/k')).toEqual({ kind: 'none' })
    expect(await face.ask('read', 'oidc/role/r')).toEqual({ kind: 'none' })
  })

  it('has an issuer of its own when it is told one, and warns', async () => {
    const face = await openFace()
    expect(await face.data('read', 'oidc/config')).toEqual({ issuer: '' })
    for (const issuer of ['https://x/path', 'ftp://x', 'https://u:p@x', 'x', 'https://x?a']) {
      await expect(face.ask('update', 'oidc/config', { issuer })).rejects.toThrow('invalid issuer')
    }
    await face.ask('update', 'oidc/config', { issuer: 'https://id.example:8200' })
    expect(face.warnings).toEqual([expect.stringContaining('If "issuer" is set explicitly')])
    expect(await face.oidc.issuer()).toBe('https://id.example:8200/v1/identity/oidc')
    expect(await face.data('read', 'oidc/config')).toEqual({ issuer: 'https://id.example:8200' })
  })
})

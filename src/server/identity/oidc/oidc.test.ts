import { createPublicKey } from 'node:crypto'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { describe, expect, it } from 'vitest'
import { loginBy, openIdentity } from '../test-identity.ts'
import { checkTemplate, fillClaims } from './claims.ts'
import { issueToken, judgeToken } from './issue-token.ts'
import { algorithms, signToken } from './signing.ts'

const hourMs = 3_600_000

async function openIssuer(algorithm = 'ES256') {
  const node = await openIdentity()
  const { oidc, identity, clock } = node
  await oidc.putKey('k', { algorithm, allowed: ['*'] })
  await oidc.putRole('r', { key: 'k', ttlMs: hourMs })
  const id = await identity.login(loginBy('bob', { metadata: { role: 'admin' } }))
  const issue = () => issueToken({ oidc, identity, now: clock.now() }, 'r', id)
  const judge = (token: string, clientId = '') => judgeToken({ oidc, identity, now: clock.now() }, token, clientId)
  const jwks = async () => ({
    keys: (await oidc.published()).map(({ kid, algorithm: alg, publicKey }) => ({ kid, alg, ...publicKey })) as never[],
  })
  return { ...node, id, issue, judge, jwks }
}

describe('an identity token', () => {
  it.each(algorithms)(
    'signed with %s is accepted by another library, by the published keys alone',
    async (algorithm) => {
      const { issue, jwks, judge, oidc, id, clock } = await openIssuer(algorithm)
      const { token, clientId, ttlMs } = await issue()
      const { payload, protectedHeader } = await jwtVerify(token, createLocalJWKSet(await jwks()), {
        audience: clientId,
        issuer: 'https://vault:8200/v1/identity/oidc',
        currentDate: new Date(clock.now()),
      })
      expect(payload).toEqual({
        aud: clientId,
        exp: Math.floor(clock.now() / 1000) + 3600,
        iat: Math.floor(clock.now() / 1000),
        iss: 'https://vault:8200/v1/identity/oidc',
        namespace: 'root',
        sub: id,
      })
      expect(protectedHeader.alg).toBe(algorithm)
      expect(ttlMs).toBe(hourMs)
      expect(await judge(token, clientId)).toBeUndefined()
      const key = await oidc.key('k')
      for (const one of [key?.current, key?.next]) {
        expect(createPublicKey({ key: { ...one?.publicKey }, format: 'jwk' }).type).toBe('public')
      }
    },
  )

  it('is not good when it was altered, is for someone else, is old, or its entity is gone', async () => {
    const { issue, judge, clock, identity, oidc, id } = await openIssuer()
    const { token } = await issue()
    const [head = '', body = '', signature = ''] = token.split('.')
    const evil = Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(body, 'base64url').toString()), sub: 'x' }))
    expect(await judge(`${head}.${evil.toString('base64url')}.${signature}`)).toBe(
      'unable to validate the token signature',
    )
    const none = Buffer.from(JSON.stringify({ alg: 'none', kid: (await oidc.key('k'))?.current.kid })).toString(
      'base64url',
    )
    expect(await judge(`${none}.${body}.`)).toBe('unable to validate the token signature')
    for (const text of ['', 'x', 'a.b.c', `${token}.x`]) expect(await judge(text)).toBe('error parsing token')
    expect(await judge(token, 'someone')).toBe('invalid audience claim')
    await oidc.configure('https://other:1')
    expect(await judge(token)).toBe('invalid issuer claim')
    await oidc.configure('')
    await identity.entities.upsert({ id, disabled: true })
    expect(await judge(token)).toBe('entity is disabled')
    await expect(issue()).rejects.toMatchObject({ status: 403 })
    await identity.entities.delete(id)
    expect(await judge(token)).toBe('entity was not found')
    await expect(issue()).rejects.toThrow("no entity associated with the request's token")
    clock.stepWall(hourMs)
    expect(await judge(token)).toBe('token is expired')
  })

  it('signed by a key that is not of this namespace is not good', async () => {
    const { judge, oidc } = await openIssuer()
    const other = await openIssuer()
    const key = (await other.oidc.key('k'))?.current
    const forged = signToken('ES256', (await oidc.key('k'))?.current.kid ?? '', key?.privateKey ?? '', '{"exp":1e12}')
    expect(await judge(forged)).toBe('unable to validate the token signature')
  })

  it('outlives the rotation of its key for as long as that is published', async () => {
    const { issue, judge, oidc, clock } = await openIssuer()
    const { token } = await issue()
    const before = await oidc.key('k')
    await oidc.rotate('k', 2 * hourMs)
    const after = await oidc.key('k')
    expect(after?.current.kid).toBe(before?.next.kid)
    expect(after?.former).toEqual([
      {
        kid: before?.current.kid,
        algorithm: 'ES256',
        publicKey: before?.current.publicKey,
        expiresAt: clock.now() + 2 * hourMs,
      },
    ])
    expect(await judge(token)).toBeUndefined()
    clock.stepWall(2 * hourMs)
    expect((await oidc.published()).map(({ kid }) => kid)).toEqual([after?.current.kid, after?.next.kid])
    await oidc.tick(new AbortController().signal)
    expect((await oidc.key('k'))?.former).toEqual([])
  })
})

describe('a key', () => {
  it('rotates when its time comes, by housekeeping or by whoever signs, once for two nodes', async () => {
    const node = await openIssuer()
    const other = await openIdentity({ backend: node.backend, clock: node.clock })
    const before = await node.oidc.key('k')
    const signal = new AbortController().signal
    node.clock.stepWall(24 * hourMs)
    await Promise.all([node.oidc.tick(signal), other.oidc.tick(signal)])
    const after = await node.oidc.key('k')
    expect(after?.current.kid).toBe(before?.next.kid)
    await node.oidc.tick(signal)
    expect(await node.oidc.key('k')).toEqual(after)
    node.clock.stepWall(24 * hourMs)
    await node.issue()
    expect((await node.oidc.key('k'))?.current.kid).toBe(after?.next.kid)
  })

  it('that changes its algorithm keeps verifying what it signed', async () => {
    const { oidc, issue, judge } = await openIssuer('ES256')
    const { token } = await issue()
    await oidc.putKey('k', { algorithm: 'EdDSA' })
    expect(await judge(token)).toBeUndefined()
    expect(await judge((await issue()).token)).toBeUndefined()
    expect((await oidc.published()).map(({ algorithm }) => algorithm)).toEqual(['ES256', 'EdDSA', 'EdDSA'])
  })

  it('is refused what makes no sense, and is not deleted while a role signs with it', async () => {
    const { oidc } = await openIssuer()
    await expect(oidc.putKey('x', { algorithm: 'none' })).rejects.toThrow('unknown signing algorithm "none"')
    await expect(oidc.putKey('x', { algorithm: 'EdDSA', rotationMs: 59_999 })).rejects.toThrow('at least one minute')
    await expect(oidc.putKey('x', { algorithm: 'EdDSA', rotationMs: 60_000, verificationMs: 600_001 })).rejects.toThrow(
      'verification_ttl cannot be longer than 10x rotation_period',
    )
    await expect(oidc.putKey('k', { verificationMs: hourMs - 1000 })).rejects.toThrow(
      'referenced by one or more roles with a token ttl greater than 3599 seconds',
    )
    await expect(oidc.rotate('none')).rejects.toThrow('no named key at "none"')
    await expect(oidc.deleteKey('k')).rejects.toThrow(
      'unable to delete key "k" because it is currently referenced by these roles: r',
    )
    await oidc.deleteRole('r')
    await oidc.deleteKey('k')
    await oidc.deleteKey('k')
    expect(await oidc.keyNames()).toEqual(['default'])
  })

  it('signs only for client ids that it lists', async () => {
    const { oidc, issue } = await openIssuer()
    await oidc.putKey('k', { allowed: ['app'] })
    await expect(issue()).rejects.toThrow(
      'the key "k" does not list the client ID of the role "r" as an allowed client ID',
    )
    await oidc.putRole('r', { clientId: 'app' })
    expect((await issue()).clientId).toBe('app')
  })
})

describe('a role', () => {
  it('is refused what makes no sense', async () => {
    const { oidc } = await openIssuer()
    await expect(oidc.putRole('x', {})).rejects.toThrow('the key parameter is required')
    await expect(oidc.putRole('x', { key: 'none' })).rejects.toThrow('cannot find key "none"')
    await expect(oidc.putRole('x', { key: 'k', ttlMs: 25 * hourMs })).rejects.toThrow(
      "a role's token ttl cannot be longer than the verification_ttl of the key it references",
    )
    await expect(oidc.putRole('x', { key: 'k', clientId: 'a b' })).rejects.toThrow('printable')
    await expect(oidc.putRole('x', { key: 'k', template: '{"sub": "root"}' })).rejects.toThrow(
      'top level key "sub" not allowed',
    )
    expect(await oidc.roleNames()).toEqual(['r'])
  })

  it('that moves to another key lets the first one go', async () => {
    const { oidc } = await openIssuer()
    await oidc.putKey('other', { algorithm: 'EdDSA' })
    await oidc.putRole('r', { key: 'other' })
    await oidc.deleteKey('k')
    await expect(oidc.deleteKey('other')).rejects.toThrow('these roles: r')
  })
})

describe('a template', () => {
  const entity = {
    format: 1 as const,
    id: 'e1',
    name: 'bo"b',
    policies: [],
    metadata: { team: 'x","sub":"root' },
    disabled: false,
    mergedIds: [],
    createdAt: 0,
    updatedAt: 0,
    aliases: [
      {
        id: 'a1',
        name: 'bob',
        mountAccessor: 'acc',
        metadata: { m: '1' },
        customMetadata: { c: '2' },
        mergedFrom: [],
        groups: [],
        createdAt: 0,
        updatedAt: 0,
      },
    ],
  }
  const subject = { entity, groups: [{ id: 'g1', name: 'devs' }], now: 1_700_000_000_500 }

  it('is filled with whole JSON values: a name can end no string', () => {
    const text = `{"n": {{identity.entity.name}}, "t": {{ identity.entity.metadata.team }}, "all": {{identity.entity.metadata}},
      "ids": {{identity.entity.groups.ids}}, "names": {{identity.entity.groups.names}}, "none": {{identity.entity.metadata.none}},
      "a": {{identity.entity.aliases.acc.name}}, "m": {{identity.entity.aliases.acc.metadata}},
      "c": {{identity.entity.aliases.acc.custom_metadata.c}}, "other": {{identity.entity.aliases.other.custom_metadata}},
      "nbf": {{time.now}}, "later": {{time.now.plus.1h}}, "earlier": {{time.now.minus.30s}}}`
    expect(checkTemplate(text)).toBe(text)
    expect(checkTemplate(Buffer.from(text).toString('base64'))).toBe(text)
    expect(fillClaims(text, subject)).toEqual({
      n: 'bo"b',
      t: 'x","sub":"root',
      all: entity.metadata,
      ids: ['g1'],
      names: ['devs'],
      none: '',
      a: 'bob',
      m: { m: '1' },
      c: '2',
      other: {},
      nbf: 1_700_000_000,
      later: 1_700_003_600,
      earlier: 1_699_999_970,
    })
  })

  it.each([
    '[]',
    '{',
    '"x"',
    '{"a": {{nothing.like.this}}}',
    '{"a": {{time.now.plus.soon}}}',
    '{"iss": "x"}',
    'x'.repeat(65_537),
  ])('that makes no claims is refused: %#', (text) => {
    expect(() => checkTemplate(text)).toThrow(expect.objectContaining({ status: 400 }))
  })
})

import { describe, expect, it } from 'vitest'
import { type OpenIdentity, openIdentity } from '../../test-identity.ts'
import { isRedirectOf } from '../login/redirect-uris.ts'

const refusal = (words: string) => expect.objectContaining({ status: 400, message: expect.stringContaining(words) })

async function twoNodes(): Promise<[OpenIdentity, OpenIdentity]> {
  const one = await openIdentity()
  await one.oidc.putKey('es', { algorithm: 'ES256', allowed: ['*'] })
  return [one, await openIdentity({ backend: one.backend, clock: one.clock })]
}

/** Both at once; at most one may refuse. */
async function race(...runs: (() => Promise<unknown>)[]): Promise<boolean[]> {
  const ended = await Promise.allSettled(runs.map((run) => run()))
  const done = ended.map(({ status }) => status === 'fulfilled')
  expect(done.filter((one) => one).length).toBeGreaterThan(0)
  return done
}

describe('what something names', () => {
  it('is there as long as it is named, whoever is faster on two nodes', async () => {
    const [one, other] = await twoNodes()
    for (let i = 0; i < 10; i += 1) {
      const name = `n${i}`
      await one.oidc.putKey(name, { algorithm: 'ES256' })
      await one.oidcProvider.assignments.put(name, {})
      await one.oidcProvider.scopes.put(name, {})
      const client = () => other.oidcProvider.clients.put(name, { key: name, assignments: [name] })
      const [deleted, made] = await race(() => one.oidcProvider.assignments.delete(name), client)
      expect([deleted, made]).not.toEqual([true, true])
      expect(await other.oidcProvider.clients.get(name)).toEqual(made ? expect.anything() : undefined)
      const [keyGone, clientMade] = await race(
        () => one.oidc.deleteKey(name),
        async () => {
          await other.oidcProvider.clients.put(`${name}-2`, { key: name })
        },
      )
      expect([keyGone, clientMade]).not.toEqual([true, true])
      const [scopeGone, provided] = await race(
        () => one.oidcProvider.scopes.delete(name),
        () => other.oidcProvider.providers.put(name, { scopes: [name] }),
      )
      expect([scopeGone, provided]).not.toEqual([true, true])
    }
  })

  it('can go once nothing names it any more', async () => {
    const [{ oidc, oidcProvider }] = await twoNodes()
    const { assignments, clients, scopes, providers } = oidcProvider
    await assignments.put('a', {})
    await assignments.put('b', {})
    await scopes.put('s', {})
    await clients.put('c', { key: 'es', assignments: ['a', 'allow_all'] })
    await providers.put('p', { scopes: ['s'] })
    await expect(assignments.delete('a')).rejects.toEqual(refusal('currently referenced by these clients: c'))
    await clients.put('c', { assignments: ['b'] })
    await assignments.delete('a')
    await expect(scopes.delete('s')).rejects.toEqual(refusal('currently referenced by these providers: p'))
    await providers.put('p', { scopes: [] })
    await scopes.delete('s')
    await expect(oidc.deleteKey('es')).rejects.toEqual(refusal('currently referenced by these clients: c'))
    await clients.delete('c')
    await assignments.delete('b')
    await oidc.deleteKey('es')
    expect([await assignments.names(), await scopes.names(), await oidc.keyNames()]).toEqual([
      ['allow_all'],
      [],
      ['default'],
    ])
  })
})

describe('a client', () => {
  it('keeps its id and secret through every change, and no other has them', async () => {
    const [one, other] = await twoNodes()
    const { clients } = one.oidcProvider
    await Promise.all([clients, other.oidcProvider.clients].map((store) => store.put('c', { key: 'es' })))
    const made = await clients.get('c')
    expect(made?.clientSecret).toMatch(/^hvo_secret_\w{64}$/)
    await other.oidcProvider.clients.put('c', { redirectUris: ['https://a/'] })
    expect(await clients.byId(made?.clientId ?? '')).toEqual({ ...made, redirectUris: ['https://a/'] })
    const ids = await one.backend.list('ns/root/identity/oidc/client-id/', { depth: 'all', limit: 10 })
    expect(ids).toEqual([made?.clientId])
    await clients.delete('c')
    expect(await clients.byId(made?.clientId ?? '')).toBeUndefined()
    await clients.put('c', { key: 'es' })
    expect((await clients.get('c'))?.clientId).not.toBe(made?.clientId)
  })

  it('names no more than one commit and one row carry', async () => {
    const [{ oidcProvider }] = await twoNodes()
    const { clients, assignments, providers } = oidcProvider
    const many = (count: number) => Array.from({ length: count }, (_, i) => `x${i}`)
    await expect(clients.put('c', { redirectUris: many(101) })).rejects.toEqual(refusal('at most 100 redirect_uris'))
    await expect(clients.put('c', { assignments: many(101) })).rejects.toEqual(refusal('at most 100 assignments'))
    await expect(clients.put('c', { redirectUris: ['x'.repeat(2049)] })).rejects.toEqual(refusal('2048 bytes'))
    await expect(assignments.put('a', { entityIds: many(5001) })).rejects.toEqual(refusal('at most 5000 entity_ids'))
    await expect(providers.put('p', { scopes: many(101) })).rejects.toEqual(refusal('at most 100 scopes_supported'))
    const names = many(100)
    for (const name of [...names, ...names.map((one) => `${one}y`)]) await assignments.put(name, {})
    await clients.put('c', { key: 'es', assignments: names })
    await clients.put('c', { assignments: names.map((one) => `${one}y`) })
    await assignments.delete('x0')
    await expect(assignments.delete('x0y')).rejects.toEqual(refusal('referenced by these clients: c'))
  })
})

describe('the key "default"', () => {
  it('is made once, by the first who needs it', async () => {
    const one = await openIdentity()
    const other = await openIdentity({ backend: one.backend, clock: one.clock })
    expect(await one.oidc.key('default')).toBeUndefined()
    await Promise.all([
      one.oidcProvider.clients.put('a', {}),
      other.oidcProvider.clients.put('b', {}),
      other.oidc.putRole('r', { key: 'default' }),
    ])
    const key = await one.oidc.key('default')
    expect(key?.clients?.map(({ name }) => name)).toEqual(['a', 'b'])
    expect(key?.roles.map(({ name }) => name)).toEqual(['r'])
    expect(key?.allowed).toEqual(['*'])
  })
})

it('a key of before there were clients serves them', async () => {
  const { oidc, oidcProvider, barrier } = await openIdentity()
  await oidc.putKey('es', { algorithm: 'ES256' })
  const view = barrier.view('ns/root/identity/oidc/key/')
  const { clients: _, ...older } = (await oidc.key('es')) ?? {}
  await view.transaction(async (tx) => tx.put(view, 'es', JSON.parse(JSON.stringify(older))))
  expect(await oidc.publishedFor(() => true)).toEqual([])
  await oidcProvider.clients.put('c', { key: 'es' })
  expect(await oidc.publishedFor(() => true)).toHaveLength(2)
  expect(await oidc.publishedFor(() => false)).toEqual([])
})

it.each([
  ['https://a/cb', ['https://a/cb'], true],
  ['https://a/cb?x=1', ['https://a/cb'], false],
  ['https://A/cb', ['https://a/cb'], false],
  ['https://a:1/cb', ['https://a/cb'], false],
  ['http://localhost:1/cb', ['http://localhost/cb'], true],
  ['http://[::1]:1/cb', ['http://[::1]:2/cb'], true],
  ['http://localhost:1/other', ['http://localhost/cb'], false],
  ['http://localhost.evil/cb', ['http://localhost/cb'], false],
  ['http://localhost@evil/cb', ['http://localhost/cb'], false],
  ['http://localhost:1@evil/cb', ['http://localhost/cb'], false],
  ['', [], false],
])('%s leads back to %j: %s', (uri, allowed, answer) => {
  expect(isRedirectOf(uri, allowed)).toBe(answer)
})

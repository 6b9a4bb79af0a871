import { describe, expect, it } from 'vitest'
import { addressAllowed, liveToken } from './live-token.ts'
import { newTokenRow } from './new-token.ts'

const row = (more: { policies?: string[]; boundCidrs?: string[]; ttlMs?: number }) =>
  newTokenRow(
    {
      namespace: 'root',
      policies: ['app'],
      path: 'auth/token/create',
      meta: null,
      displayName: 'token',
      numUses: 0,
      ttlMs: 1000,
      explicitMaxTtlMs: 0,
      periodMs: 0,
      renewable: true,
      entityId: 'e',
      boundCidrs: [],
      noDefaultPolicy: false,
      mount: 'm',
      ...more,
    },
    'acc',
    0,
    [],
  )

describe('a live token', () => {
  it('may what its own policies and those of its entity say, each once', () => {
    const live = liveToken('id', row({ policies: ['b', 'd'] }), { policies: ['a', 'b', 'c'] })
    expect(live.caller).toMatchObject({ id: 'id', policies: ['a', 'b', 'c', 'd'], root: false })
    expect(live.identityPolicies).toEqual(['a', 'b', 'c'])
    expect(liveToken('id', row({})).caller.policies).toEqual(['app'])
  })

  it('is not root because of its entity', () => {
    expect(liveToken('id', row({}), { policies: ['root'] }).caller.root).toBe(false)
  })

  it.each([
    ['10.1.2.3', true],
    ['::ffff:10.1.2.3', true],
    ['11.0.0.1', false],
    ['::ffff:11.0.0.1', false],
    ['fd00::1', true],
    ['fe80::1', false],
    ['192.0.2.7', true],
    ['192.0.2.8', false],
    ['', false],
    ['10.1.2', false],
  ])('bound to addresses is used from %s: %s', (address, allowed) => {
    const { bound } = liveToken('id', row({ boundCidrs: ['10.0.0.0/8', 'fd00::/16', '192.0.2.7'] }))
    expect(bound && addressAllowed(bound, address)).toBe(allowed)
  })

  it('that is root for ever is not locked out by an address, one that ends is', () => {
    const root = { policies: ['root'], boundCidrs: ['10.0.0.0/8'] }
    expect(liveToken('id', row({ ...root, ttlMs: 0 })).bound).toBeUndefined()
    expect(liveToken('id', row(root)).bound).toBeDefined()
  })
})

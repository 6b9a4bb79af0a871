import { describe, expect, it } from 'vitest'
import { newTokenRole } from '../../tokens/roles/token-role.ts'
import { childLifetime } from './child-lifetime.ts'
import type { TokenRequest } from './token-request.ts'

const hour = 3_600_000
const limits = { defaultTtlMs: 2 * hour, maxTtlMs: 10 * hour }

interface Asked {
  readonly ttl?: number
  readonly lease?: number
  readonly explicit_max_ttl?: number
  readonly period?: number
  readonly type?: 'service' | 'batch'
  readonly parentEnds?: boolean
  readonly role?: { periodMs?: number; explicitMaxTtlMs?: number }
}

function lifetime(asked: Asked, policies: readonly string[] = ['app']) {
  const { type = 'service', parentEnds = false, role, ...input } = asked
  const request = {
    input: { ttl: 0, lease: 0, explicit_max_ttl: 0, period: 0, ...input },
    call: { now: 1000 },
    parent: { row: { expiresAt: parentEnds ? 2000 : 0 } },
    type,
    ...(role ? { role: { name: 'r', role: { ...newTokenRole, ...role } } } : {}),
  }
  return childLifetime(request as unknown as TokenRequest, policies, limits)
}

describe('the life of a token that a token makes', () => {
  it.each<[string, Asked, { ttlMs: number; explicitMaxTtlMs?: number; periodMs?: number }]>([
    ["the mount's default", {}, { ttlMs: 2 * hour }],
    ['what is asked for', { ttl: hour }, { ttlMs: hour }],
    ['what is asked for by the older name', { lease: hour }, { ttlMs: hour }],
    ['the newer name first', { ttl: 3 * hour, lease: hour }, { ttlMs: 3 * hour }],
    ['at most what the mount allows', { ttl: 11 * hour }, { ttlMs: 10 * hour }],
    [
      'at most its explicit maximum',
      { ttl: 2 * hour, explicit_max_ttl: hour },
      { ttlMs: hour, explicitMaxTtlMs: hour },
    ],
    [
      'an explicit maximum above the mount stays, the mount counts',
      { ttl: 20 * hour, explicit_max_ttl: 15 * hour },
      { ttlMs: 10 * hour, explicitMaxTtlMs: 15 * hour },
    ],
    ['its period', { period: 3 * hour, ttl: hour }, { ttlMs: 3 * hour, periodMs: 3 * hour }],
    ["its role's period", { role: { periodMs: hour } }, { ttlMs: hour, periodMs: hour }],
    ["its role's maximum", { role: { explicitMaxTtlMs: hour } }, { ttlMs: hour, explicitMaxTtlMs: hour }],
    ['the lesser of two periods', { period: hour, role: { periodMs: 3 * hour } }, { ttlMs: hour, periodMs: hour }],
    [
      'nothing of its role for a batch token',
      { type: 'batch', role: { periodMs: hour, explicitMaxTtlMs: hour } },
      { ttlMs: 2 * hour },
    ],
  ])('is %s', (_, asked, wanted) => {
    expect(lifetime(asked)).toMatchObject({ explicitMaxTtlMs: 0, periodMs: 0, ...wanted })
  })

  it.each<[string, Asked, number]>([
    ['without end', {}, 0],
    ['its explicit maximum, past that of the mount', { explicit_max_ttl: 20 * hour }, 20 * hour],
    ['what is asked for', { ttl: hour, parentEnds: true }, hour],
    ['its period', { period: hour, parentEnds: true }, hour],
    ['its explicit maximum, below one that ends', { explicit_max_ttl: hour, parentEnds: true }, hour],
    ["its role's maximum", { role: { explicitMaxTtlMs: hour } }, hour],
  ])('of root is %s', (_, asked, ttlMs) => {
    expect(lifetime(asked, ['root']).ttlMs).toBe(ttlMs)
  })

  it('of root is not without end below one that ends', () => {
    expect(() => lifetime({ parentEnds: true }, ['root'])).toThrow(
      'expiring root tokens cannot create non-expiring root tokens',
    )
  })
})

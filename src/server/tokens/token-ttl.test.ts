import { describe, expect, it } from 'vitest'
import { type TtlRequest, tokenTtl } from './token-ttl.ts'

const minute = 60_000
const hour = 60 * minute
const nothing: TtlRequest = {
  wantedMs: 0,
  roleTtlMs: 0,
  roleMaxTtlMs: 0,
  explicitMaxTtlMs: 0,
  periodMs: 0,
  defaultTtlMs: 768 * hour,
  maxTtlMs: 768 * hour,
  issuedAt: 1_000_000_000,
  now: 1_000_000_000,
}
const ttlWarning = (asked: string, left: string) =>
  `TTL of "${asked}" exceeded the effective max_ttl of "${left}"; TTL value is capped accordingly`
const periodWarning = (asked: string, max: string) =>
  `period of "${asked}" exceeded the effective max_ttl of "${max}"; period value is capped accordingly`

describe('the life of a new token', () => {
  it.each<[string, Partial<TtlRequest>, number, string[]]>([
    ['the mount decides when nobody says anything', { defaultTtlMs: 3 * hour }, 3 * hour, []],
    ['the role says more than the mount', { roleTtlMs: hour, defaultTtlMs: 3 * hour }, hour, []],
    ['who asks says more than the role', { wantedMs: minute, roleTtlMs: hour }, minute, []],
    [
      'more than the system allows',
      { wantedMs: 768 * hour + minute },
      768 * hour,
      [ttlWarning('768h1m0s', '768h0m0s')],
    ],
    [
      'more than the mount allows',
      { wantedMs: 3 * hour, maxTtlMs: 2 * hour },
      2 * hour,
      [ttlWarning('3h0m0s', '2h0m0s')],
    ],
    ['more than the role allows', { wantedMs: 3 * hour, roleMaxTtlMs: hour }, hour, [ttlWarning('3h0m0s', '1h0m0s')]],
    [
      'more than the explicit maximum',
      { wantedMs: 3 * hour, explicitMaxTtlMs: hour },
      hour,
      [ttlWarning('3h0m0s', '1h0m0s')],
    ],
    [
      'the smallest maximum counts',
      { wantedMs: 9 * hour, maxTtlMs: 5 * hour, roleMaxTtlMs: 4 * hour, explicitMaxTtlMs: 3 * hour },
      3 * hour,
      [ttlWarning('9h0m0s', '3h0m0s')],
    ],
    ['a default above a maximum', { explicitMaxTtlMs: hour }, hour, [ttlWarning('768h0m0s', '1h0m0s')]],
    [
      "a role's ttl above a maximum",
      { roleTtlMs: 2 * hour, roleMaxTtlMs: hour },
      hour,
      [ttlWarning('2h0m0s', '1h0m0s')],
    ],
    [
      'a role cannot lift the mount',
      { wantedMs: 9 * hour, maxTtlMs: 5 * hour, roleMaxTtlMs: 8 * hour },
      5 * hour,
      [ttlWarning('9h0m0s', '5h0m0s')],
    ],
    ['exactly the maximum', { wantedMs: 768 * hour }, 768 * hour, []],
    ['a period, whatever is asked', { periodMs: 24 * hour, wantedMs: minute }, 24 * hour, []],
    ['a period above the system', { periodMs: 800 * hour }, 768 * hour, [periodWarning('800h0m0s', '768h0m0s')]],
    [
      'a period above the explicit maximum',
      { periodMs: 24 * hour, explicitMaxTtlMs: hour },
      hour,
      [periodWarning('24h0m0s', '1h0m0s')],
    ],
    [
      "a period above the role's maximum",
      { periodMs: 24 * hour, roleMaxTtlMs: hour },
      hour,
      [periodWarning('24h0m0s', '1h0m0s')],
    ],
  ])('%s', (_, more, ttlMs, warnings) => {
    expect(tokenTtl({ ...nothing, ...more })).toEqual({ ttlMs, warnings })
  })
})

describe('a renewal', () => {
  const later = (ms: number, more: Partial<TtlRequest>) => tokenTtl({ ...nothing, ...more, now: nothing.now + ms })

  it.each<[string, number, Partial<TtlRequest>, number, string[]]>([
    ['counts from now', 5 * hour, { wantedMs: hour }, hour, []],
    ['without increment gives what the token was made with', hour, { roleTtlMs: 2 * hour }, 2 * hour, []],
    [
      'is cut to what is left',
      2 * hour,
      { wantedMs: 5 * hour, explicitMaxTtlMs: 3 * hour },
      hour,
      [ttlWarning('5h0m0s', '1h0m0s')],
    ],
    [
      'without increment is cut to what is left',
      2 * hour,
      { roleTtlMs: 5 * hour, maxTtlMs: 3 * hour },
      hour,
      [ttlWarning('5h0m0s', '1h0m0s')],
    ],
    ['just fits', 2 * hour, { wantedMs: hour, explicitMaxTtlMs: 3 * hour }, hour, []],
    [
      'of a period begins anew, past every maximum of mount and role',
      2000 * hour,
      { periodMs: 24 * hour, wantedMs: minute, roleMaxTtlMs: 48 * hour },
      24 * hour,
      [],
    ],
    [
      'of a period ends at the explicit maximum',
      9 * hour,
      { periodMs: 2 * hour, explicitMaxTtlMs: 10 * hour },
      hour,
      [ttlWarning('2h0m0s', '1h0m0s')],
    ],
    ['counts whole seconds', 999, { wantedMs: 3 * hour, explicitMaxTtlMs: 3 * hour }, 3 * hour, []],
  ])('%s', (_, age, more, ttlMs, warnings) => {
    expect(later(age, more)).toEqual({ ttlMs, warnings })
  })

  it.each<[string, Partial<TtlRequest>]>([
    ['the mount', {}],
    ['the role', { roleMaxTtlMs: hour }],
    ['the explicit maximum', { explicitMaxTtlMs: hour }],
    ['the explicit maximum, with a period', { explicitMaxTtlMs: hour, periodMs: minute }],
  ])('past the maximum of %s is refused', (_, more) => {
    expect(() => later(768 * hour, { wantedMs: minute, ...more })).toThrow('past the max TTL, cannot renew')
  })
})

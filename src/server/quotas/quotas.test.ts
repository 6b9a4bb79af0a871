import { beforeEach, describe, expect, it } from 'vitest'
import { FakeClock } from '../../lib/fake-clock.ts'
import { systemRandom } from '../../lib/random.ts'
import { FakeRows } from '../contracts/fake-rows.ts'
import { Refusal } from '../contracts/request.ts'
import { isExempt } from './exempt-paths.ts'
import { type Counted, LeaseQuotas } from './lease-quotas.ts'
import type { QuotaScope } from './quota-row.ts'
import { QuotaStore } from './quota-store.ts'

let clock: FakeClock
let rows: FakeRows
let quotas: QuotaStore
let version = 0
beforeEach(() => {
  clock = new FakeClock()
  rows = new FakeRows()
  quotas = new QuotaStore({ rows, clock, random: systemRandom })
})
const another = () => new QuotaStore({ rows, clock, random: systemRandom })
const reload = (store = quotas) => {
  version += 1
  return store.changed(`v${version}`)
}
const scope = (more: Partial<QuotaScope> = {}): QuotaScope => ({
  namespace: '',
  mount: '',
  suffix: '',
  role: '',
  inheritable: false,
  ...more,
})
const limit = async (
  name: string,
  more: Partial<QuotaScope> & { rate?: number; blockMs?: number; intervalMs?: number } = {},
) => {
  const { rate = 2, blockMs = 0, intervalMs = 1000, ...where } = more
  await quotas.put('rate-limit', { format: 1, name, ...scope(where), rate, intervalMs, blockMs })
  await reload()
}
const ask = (path: string, more: { mount?: string; ns?: string; address?: string; role?: string } = {}) => {
  const mountPath = more.mount ?? `${path.split('/')[0]}/`
  const arrival = { namespacePath: more.ns ?? '', path, mountPath, remoteAddress: more.address ?? '10.0.0.1' }
  return quotas.admit(more.role ? { ...arrival, role: more.role } : arrival)
}
/** How many of ten requests get through. */
const passed = (path: string, more: Parameters<typeof ask>[1] = {}) => {
  let count = 0
  for (let i = 0; i < 10; i += 1) {
    try {
      ask(path, more)
      count += 1
    } catch (error) {
      expect(error).toBeInstanceOf(Refusal)
    }
  }
  return count
}

describe('a rate limit', () => {
  it('lets so many through in an interval, for each client address', async () => {
    await limit('q', { mount: 'kv/', rate: 3 })
    expect(passed('kv/a')).toBe(3)
    expect(passed('kv/b', { address: '10.0.0.2' })).toBe(3)
    expect(passed('other/a')).toBe(10)
    await clock.advance(999)
    expect(passed('kv/a')).toBe(0)
    await clock.advance(1)
    expect(passed('kv/a')).toBe(3)
  })

  it("refuses in Vault's words and says when to come back", async () => {
    await limit('q', { rate: 1, intervalMs: 5000 })
    ask('kv/a')
    await clock.advance(1500)
    expect(() => ask('kv/a')).toThrow(
      expect.objectContaining({
        status: 429,
        errors: ['request path "kv/a": rate limit quota exceeded'],
        with: { headers: { 'Retry-After': '4' } },
      }),
    )
  })

  it('tells what is left when it is configured to', async () => {
    await limit('q', { rate: 2, intervalMs: 5000 })
    expect(ask('kv/a')).toBeUndefined()
    await quotas.setConfig({ ...(await quotas.config()), responseHeaders: true })
    await reload()
    expect(ask('kv/a')).toEqual({
      'X-Ratelimit-Limit': '2',
      'X-Ratelimit-Remaining': '0',
      'X-Ratelimit-Reset': '5',
    })
    expect(() => ask('kv/a')).toThrow(
      expect.objectContaining({
        with: {
          headers: {
            'X-Ratelimit-Limit': '2',
            'X-Ratelimit-Remaining': '0',
            'X-Ratelimit-Reset': '5',
            'Retry-After': '5',
          },
        },
      }),
    )
  })

  it('blocks a client that went over it', async () => {
    await limit('q', { rate: 1, blockMs: 60_000 })
    expect(passed('kv/a')).toBe(1)
    await clock.advance(30_000)
    expect(() => ask('kv/a')).toThrow(expect.objectContaining({ with: { headers: { 'Retry-After': '30' } } }))
    await clock.advance(30_000)
    expect(passed('kv/a')).toBe(1)
  })

  it('counts anew when it was changed, and not because another was', async () => {
    await limit('q', { mount: 'kv/', rate: 1 })
    expect(passed('kv/a')).toBe(1)
    await limit('other', { mount: 'x/' })
    expect(passed('kv/a')).toBe(0)
    await limit('q', { mount: 'kv/', rate: 4 })
    expect(passed('kv/a')).toBe(4)
    await quotas.delete('rate-limit', 'q')
    await reload()
    expect(passed('kv/a')).toBe(10)
  })

  it('keeps no more than so many clients in mind', async () => {
    await limit('q', { rate: 1 })
    for (let i = 0; i < 60_000; i += 1) ask('kv/a', { address: `a${i}` })
    expect(passed('kv/a', { address: 'a59999' })).toBe(0)
    expect(passed('kv/a', { address: 'a0' })).toBe(1)
  })

  it('does not count for exempt paths', async () => {
    await limit('q', { rate: 1 })
    expect(passed('sys/health')).toBe(10)
    expect(passed('sys/mounts')).toBe(1)
    await quotas.setConfig({ ...(await quotas.config()), exemptPaths: [] })
    await reload()
    expect(passed('sys/health', { address: 'new' })).toBe(1)
  })

  it('is known to another process with the next version, and forgotten when it seals', async () => {
    await limit('q', { rate: 1 })
    const other = another()
    const arrival = { namespacePath: '', path: 'kv/a', mountPath: 'kv/', remoteAddress: 'x' }
    other.admit(arrival)
    other.admit(arrival)
    await reload(other)
    other.admit(arrival)
    expect(() => other.admit(arrival)).toThrow('rate limit')
    other.forget()
    expect(other.admit(arrival)).toBeUndefined()
  })

  it('moves the epoch that every request reads', async () => {
    const before = rows.rows.get('ns/root/epoch/audit')?.version
    await limit('q')
    const after = rows.rows.get('ns/root/epoch/audit')?.version
    expect(after).not.toBe(before)
    await quotas.delete('rate-limit', 'nothing')
    expect(rows.rows.get('ns/root/epoch/audit')?.version).toBe(after)
  })
})

describe('of several quotas the most specific counts', () => {
  beforeEach(async () => {
    await limit('global', { rate: 1, inheritable: true })
    await limit('team', { namespace: 'team/', rate: 2 })
    await limit('mount', { namespace: 'team/', mount: 'auth/door/', rate: 3 })
    await limit('glob', { namespace: 'team/', mount: 'auth/door/', suffix: 'log*', rate: 4 })
    await limit('longer', { namespace: 'team/', mount: 'auth/door/', suffix: 'login/x*', rate: 5 })
    await limit('path', { namespace: 'team/', mount: 'auth/door/', suffix: 'login', rate: 6 })
    await limit('role', { namespace: 'team/', mount: 'auth/door/', role: 'app', rate: 7 })
  })
  const door = { ns: 'team/', mount: 'auth/door/' }
  it.each([
    ['the role', 'auth/door/login', { ...door, role: 'app' }, 7],
    ['the path', 'auth/door/login', { ...door, role: 'other' }, 6],
    ['the path with a slash', 'auth/door/login/', door, 6],
    ['the longer glob', 'auth/door/login/xy', door, 5],
    ['the glob', 'auth/door/logout', door, 4],
    ['the mount', 'auth/door/config', door, 3],
    ['the namespace', 'kv/a', { ns: 'team/' }, 2],
    ['what is inherited', 'kv/a', { ns: 'other/deep/' }, 1],
    ['not what is not inherited', 'kv/a', { ns: 'team/child/' }, 1],
    ['everything', 'kv/a', {}, 1],
  ])('%s', (_, path, more, wanted) => {
    expect(passed(path, more)).toBe(wanted)
  })

  it('and roles are asked for only where a quota has one', () => {
    expect(quotas.wantsRole('team/', 'auth/door/')).toBe(true)
    expect(quotas.wantsRole('', 'auth/door/')).toBe(false)
  })

  it('and two about the same are refused', async () => {
    await expect(limit('again', { namespace: 'team/' })).rejects.toMatchObject({
      status: 400,
      message: 'quota rule with similar properties exists under the name "team"',
    })
    await limit('team', { namespace: 'team/', rate: 9 })
    await limit('team', { namespace: 'elsewhere/' })
    await limit('again', { namespace: 'team/' })
    expect(await quotas.names('rate-limit')).toEqual([
      'again',
      'glob',
      'global',
      'longer',
      'mount',
      'path',
      'role',
      'team',
    ])
  })
})

describe('exempt paths', () => {
  it.each([
    [['sys/health'], 'sys/health', true],
    [['sys/health'], 'sys/healthy', false],
    [['/v1/sys/health'], 'sys/health', true],
    [['sys/*'], 'sys/anything/at/all', true],
    [['*'], 'kv/a', true],
    [['sys/*', '!sys/mounts'], 'sys/mounts', false],
    [['sys/*', '!sys/mounts*', 'sys/mounts/kv'], 'sys/mounts/kv', true],
    [[], 'sys/health', false],
  ])('%j: %s', (list, path, exempt) => {
    expect(isExempt(list, path)).toBe(exempt)
  })
})

describe('a limit of leases', () => {
  let there: number
  let asked: { what: Counted; limit: number }[]
  let leases: LeaseQuotas
  beforeEach(() => {
    there = 0
    asked = []
    leases = new LeaseQuotas({
      quotas,
      count: async (what, most) => {
        asked.push({ what, limit: most })
        return Math.min(there, most)
      },
    })
  })
  const cap = async (name: string, maxLeases: number, more: Partial<QuotaScope> = {}) => {
    await quotas.put('lease-count', { format: 1, name, ...scope(more), maxLeases })
    await reload()
  }

  it('counts nothing where there is none', async () => {
    await leases.admitLease('', 'db/', 'db/creds/r')
    expect(asked).toEqual([])
  })

  it('admits up to it and not one more', async () => {
    await cap('q', 3, { mount: 'db/', suffix: 'creds/r' })
    there = 2
    await leases.admitLease('', 'db/', 'db/creds/r')
    there = 3
    const refused = leases.admitLease('', 'db/', 'db/creds/r')
    await expect(refused).rejects.toMatchObject({
      status: 429,
      errors: ['request path "db/creds/r": lease count quota exceeded'],
    })
    await leases.admitLease('', 'db/', 'db/creds/r', true)
    there = 4
    await expect(leases.admitLease('', 'db/', 'db/creds/r', true)).rejects.toMatchObject({ status: 429 })
    expect(asked[0]).toEqual({ what: { namespacePath: '', prefix: 'db/creds/r/', deep: false }, limit: 4 })
    await leases.admitLease('', 'db/', 'db/creds/other')
  })

  it('that is large is not counted at each issue, and never passed by one node', async () => {
    await cap('q', 10_000, { inheritable: true })
    for (; there < 10_000; there += 1) await leases.admitLease('', 'db/', 'db/creds/r')
    await expect(leases.admitLease('', 'db/', 'db/creds/r')).rejects.toMatchObject({ status: 429 })
    expect(asked.length).toBeLessThan(100)
    expect(asked[0]?.what).toEqual({ namespacePath: '', prefix: '', deep: true })
  })
})

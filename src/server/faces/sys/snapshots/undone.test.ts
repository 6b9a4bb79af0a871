import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../../../lib/fake-clock.ts'
import { systemRandom } from '../../../../lib/random.ts'
import { commitId } from '../../../contracts/commit.ts'
import type { Stored } from '../../../contracts/storage.ts'
import { openMemory } from '../../../storage/memory/memory.ts'
import { findUndone, maxNamed } from './undone.ts'
import { countFields, countsOf, nameFields, undoneJson, warningsOf } from './undone-told.ts'

const now = 1_800_000_000_000
const version = commitId(systemRandom)
type Content = Readonly<Record<string, unknown>>

const folder = 'ns/root/tokens/id/'
const number = (i: number) => String(i).padStart(6, '0')
const token = (accessor: string, expiresAt = 0): Content => ({
  format: 1,
  ...{
    accessor,
    expiresAt,
    namespace: 'root',
    path: 'auth/token/create',
    displayName: 'token',
    entityId: '',
    mount: 'm',
  },
  ...{ numUses: 0, createdAt: 1, creationTtlMs: 0, explicitMaxTtlMs: 0, periodMs: 0, renewedAt: 0 },
  ...{
    ancestors: [],
    policies: [],
    boundCidrs: [],
    type: 'service',
    renewable: true,
    meta: null,
    noDefaultPolicy: false,
  },
})
const tokens = (from: number, to: number): [string, Content][] =>
  Array.from({ length: to - from }, (_, i) => [folder + number(from + i), token(`accessor-${from + i}`)])
const lease = (id: string, expiresAt: number): [string, Content] => [
  `ns/root/leases/id/${id}`,
  {
    format: 1,
    ...{ id, expiresAt, path: 'database/creds/r', mount: 'm', handler: 'h', state: {}, token: '', status: 'active' },
    ...{ issuedAt: 1, dueAt: 0, ttlMs: 1, maxTtlMs: 0, renewable: true, renewedAt: null, attempts: 0 },
  },
]
const mount = (namespace: string, uuid: string, path: string, more: Content = {}): [string, Content] => [
  `ns/${namespace}/mounts/${uuid}`,
  {
    format: 1,
    ...{ path, uuid, class: path.startsWith('auth/') ? 'auth' : 'secret', type: 't', description: '', accessor: 'a' },
    ...{ local: false, sealWrap: false, options: null, config: {}, ...more },
  },
]
const policy = (namespace: string, name: string, text: string, more: Content = {}): [string, Content] => [
  `ns/${namespace}/policy/${name}`,
  { format: 1, text, ...more },
]
const entity = (id: string, more: Content = {}): [string, Content] => [
  `ns/root/identity/entity/${id}`,
  {
    format: 1,
    ...{ id, name: id, policies: ['p'], metadata: {}, disabled: false, aliases: [], mergedIds: [] },
    ...{ createdAt: 1, updatedAt: 1, ...more },
  },
]

/** Rows of equal content have equal versions, as rows that nobody changed. */
const rowsOf = (contents: Iterable<readonly [string, Content]>): (readonly [string, Stored])[] =>
  [...contents]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, content]) => {
      const value = Buffer.from(JSON.stringify(content))
      const sum = value.reduce((total, byte) => (total * 31 + byte) % 0xffffff, 7)
      return [key, { value, version: version.slice(0, 8) + sum.toString(16).padStart(6, '0') }]
    })

async function undone(
  snapshot: Iterable<readonly [string, Content]>,
  present: Iterable<readonly [string, Content]>,
  damaged: readonly string[] = [],
) {
  const backend = openMemory({ clock: new FakeClock(now), random: systemRandom })
  await backend.replace(rowsOf(present), 0)
  const asked: number[] = []
  const found = await findUndone(
    {
      list: (prefix, page) => backend.list(prefix, page),
      now: () => backend.now(),
      read: async (keys) => {
        asked.push(keys.length)
        if (keys.some(({ key }) => damaged.includes(key))) throw new Error('damaged')
        return backend.read(keys)
      },
      reloadKeyring: async () => {
        throw new Error('the keyring is damaged')
      },
      openRow: (key, row) => {
        if (damaged.includes(key)) throw new Error('damaged')
        return row.value
      },
    },
    rowsOf(snapshot),
  )
  await backend.close()
  return Object.assign(found, { asked })
}

describe('what a restore undoes', () => {
  it('is what the snapshot has and the storage has not, over pages of both', async () => {
    const found = await undone(
      [...tokens(0, 2500), ['mnt/1/gone', {}]],
      [...tokens(990, 3500), ['ns/root/tokens/idle', {}]],
    )
    expect(undoneJson(found)).toEqual({
      tokens: { count: 990, named: Array.from({ length: 990 }, (_, i) => `accessor-${i}`), unnamed: 0 },
    })
  })

  it('names a thousand of a kind and counts the others', async () => {
    const found = await undone(tokens(0, 2001), [])
    expect(found.get('tokens')?.named).toHaveLength(maxNamed)
    expect(undoneJson(found)).toMatchObject({ tokens: { count: 2001, unnamed: 1001 } })
    const mounts = await undone(
      Array.from({ length: 12 }, (_, i) => mount('root', number(i), `kv${i}/`)),
      [],
    )
    expect(warningsOf(mounts, 't')).toEqual([expect.stringMatching(/^12 mounts .*: kv0\/, .*kv9\/, and 2 more$/)])
  })

  it('is nothing where nothing ended', async () => {
    const all = [...tokens(0, 3), lease('a', now + 1), entity('e'), mount('root', 'u', 'kv/')]
    expect((await undone(all, all)).size).toBe(0)
    expect((await undone([], all)).size).toBe(0)
  })

  it('is not what would have ended by itself', async () => {
    const found = await undone(
      [
        [`${folder}a`, token('past', now)],
        [`${folder}b`, token('valid', now + 1)],
        lease('past', now),
        lease('valid', now + 1),
        policy('root', 'past', '', { expiresAt: now }),
        policy('root', 'valid', '', { expiresAt: now + 1 }),
      ],
      [],
    )
    expect([...found].map(([kind, { named }]) => [kind, named])).toEqual([
      ['tokens', ['valid']],
      ['leases', ['valid']],
      ['policies', ['valid']],
    ])
  })

  it('has mounts, policies and roles by their paths with those of their namespaces', async () => {
    const team: [string, Content] = [
      'core/namespaces/nsid01',
      { format: 1, id: 'nsid01', uuid: 'x', path: 'team/', customMetadata: {} },
    ]
    const gone = [
      mount('root', 'u1', 'kv/'),
      mount('nsid01', 'u2', 'auth/userpass/'),
      policy('nsid01', 'a/b', ''),
      ['ns/root/tokens/role/r', {}],
    ] as const
    const named = async (present: (readonly [string, Content])[]) =>
      Object.fromEntries([...(await undone([...gone, team], present))].map(([kind, one]) => [kind, one.named]))
    const below = { mounts: ['team/auth/userpass/', 'kv/'], policies: ['team/a/b'], token_roles: ['r'] }
    expect(await named([team])).toEqual(below)
    expect(await named([])).toEqual({ ...below, namespaces: ['team/'] })
  })

  it('has what was marked, locked, disabled or made less since, and not what was made more', async () => {
    const ns = (id: string, more: Content = {}): [string, Content] => [
      `core/namespaces/${id}`,
      { format: 1, id, uuid: 'x', path: `${id}/`, customMetadata: {}, ...more },
    ]
    const snapshot = [
      ...[
        ns('a'),
        ns('b'),
        ns('c', { lock: 'l' }),
        mount('root', 'u', 'kv/'),
        policy('root', 'p', 'then'),
        policy('root', 'q', 'same'),
      ],
      ...[entity('more'), entity('off'), entity('less', { policies: ['p', 'q'] }), entity('dis', { disabled: true })],
      ...[entity('merged'), ['ns/root/identity/group/g', { members: ['m'] }] as const],
    ]
    const present = [
      ...[ns('a', { deleting: true }), ns('b', { lock: 'l' }), ns('c'), mount('root', 'u', 'kv/', { removing: true })],
      ...[
        policy('root', 'p', 'now'),
        policy('root', 'q', 'same', { casRequired: true }),
        entity('more', { policies: ['p', 'r'] }),
      ],
      ...[entity('off', { disabled: true }), entity('less', { policies: ['q'] }), entity('dis', { name: 'other' })],
      ...[['ns/root/identity/entity/merged', { format: 1, mergedInto: 'more' }] as const],
      ...[['ns/root/identity/group/g', { members: [] }] as const],
    ]
    expect([...(await undone(snapshot, present))].map(([kind, { named }]) => [kind, [...named].sort()])).toEqual([
      ['mounts', ['kv/']],
      ['namespaces', ['a/', 'b/']],
      ['changed_policies', ['p']],
      ['entities', ['less', 'merged', 'off']],
      ['changed_groups', ['g']],
    ])
  })

  it('has identities by their ids', async () => {
    const found = await undone(
      [entity('e1'), ['ns/root/identity/alias-id/a1', {}], ['ns/root/identity/group/g1', {}]],
      [],
    )
    expect([...found].map(([kind, { named }]) => [kind, named])).toEqual([
      ['entities', ['e1']],
      ['entity_aliases', ['a1']],
      ['groups', ['g1']],
    ])
  })

  it('says of auth methods how many of their rows are gone, and of other mounts nothing', async () => {
    const mounts = [mount('root', 'u1', 'auth/approle/'), mount('root', 'u2', 'kv/'), mount('root', 'u3', 'auth/gone/')]
    const rows = ['u1/role/a', 'u1/role/b', 'u1/role/c', 'u2/x', 'u3/y'].map((key) => [`mnt/${key}`, {}] as const)
    const found = await undone([...rows, ...mounts], [...mounts.slice(0, 2), ['mnt/u1/role/b', {}]])
    expect([...found].map(([kind, { count, named }]) => [kind, count, named])).toEqual([
      ['mounts', 1, ['auth/gone/']],
      ['auth_rows', 1, ['auth/approle/ (2)']],
    ])
  })

  it('compares many rows with few queries, and goes on where one is damaged', async () => {
    const before = Array.from({ length: 450 }, (_, i) => entity(number(i)))
    const after = before.map(([key], i) =>
      i % 100 === 7 ? entity(number(i), { disabled: true }) : entity(number(i), { n: key.length }),
    )
    const found = await undone(before, after)
    expect(found.asked).toEqual(Array(9).fill(50))
    expect(found.get('entities')?.named).toEqual(['000007', '000107', '000207', '000307', '000407'])
    const large = Array.from({ length: 3 }, (_, i) => policy('root', `p${i}`, 'x'.repeat(600_000)))
    expect((await undone(large, large)).asked).toEqual([2, 1])
    const key = `ns/root/identity/entity/${number(107)}`
    expect(undoneJson(await undone(before, after, [key]))).toMatchObject({
      entities: { count: 4 },
      not_compared: { count: 1, named: [key], unnamed: 0 },
    })
    // Gone, and what it was can't be read: counted without a name.
    const without = after.filter(([other]) => other !== key)
    expect(undoneJson(await undone(before, without, [key]))).toMatchObject({ entities: { count: 5, unnamed: 1 } })
  })

  it.each([
    ['another format', { format: 2 }],
    ['a form that nobody knows', []],
  ])('is compared all the same where single rows have %s, and those are named as not compared', async (_, odd) => {
    const key = (id: string) => `ns/root/identity/entity/${id}`
    const bad = odd as Content
    const snapshot = [...['a', 'b', 'c', 'd'].map((id) => entity(id)), [key('then'), bad], [key('same'), bad]] as const
    const gone = [
      [key('gone'), bad],
      [`${folder}t`, bad],
      ['core/namespaces/n', bad],
    ] as const
    const present = [
      ...[entity('a', { disabled: true }), [key('b'), bad], entity('c'), entity('then'), [key('same'), bad]],
    ] as const
    expect(undoneJson(await undone([...snapshot, ...gone], present))).toEqual({
      tokens: { count: 1, named: [], unnamed: 1 },
      namespaces: { count: 1, named: [], unnamed: 1 },
      entities: { count: 3, named: ['d', 'a'], unnamed: 1 },
      not_compared: { count: 2, named: [key('b'), key('then')], unnamed: 0 },
    })
  })

  it('has a mount that can not be read and lost rows once among what is not compared', async () => {
    const uuid = 'u1'
    const key = `ns/root/mounts/${uuid}`
    const rows = [[`mnt/${uuid}/role/a`, {}], mount('root', uuid, 'auth/approle/')] as const
    const found = await undone(rows, [mount('root', uuid, 'auth/approle/', { removing: true })], [key])
    expect(undoneJson(found)).toEqual({ not_compared: { count: 1, named: [key], unnamed: 0 } })
  })

  it('does not spell the keys of what is not compared where it is read in clear', async () => {
    const key = 'ns/root/policy/canary'
    const found = await undone([[key, { text: 'then' }]], [[key, { text: 'now' }]], [key])
    expect(warningsOf(found, 't')).toEqual([
      expect.stringMatching(/^1 rows can not be read .* their keys in "undone"$/),
    ])
    expect({ ...countFields(countsOf(found)), ...nameFields(found) }).toEqual({ notCompared: 1 })
  })

  it('is in the log by name where names are no credentials, and else counted', async () => {
    const found = await undone(
      [...tokens(0, 3), lease('database/creds/r/canary', now + 1), mount('root', 'u', 'kv/')],
      [],
    )
    expect({ ...countFields(countsOf(found)), ...nameFields(found) }).toEqual({
      tokensAlive: 3,
      leasesAlive: 1,
      mountsAlive: 1,
      mounts: ['kv/'],
    })
  })

  it('is said not to be known, with where to look, when there was nothing to compare', () => {
    expect(undoneJson(undefined)).toBeNull()
    expect(warningsOf(undefined, '2026-01-02T03:04:05Z')).toEqual([
      expect.stringContaining('coffer audit query -revocations -since=2026-01-02T03:04:05.000Z FILE'),
    ])
    expect(warningsOf(undefined, '$(rm -rf ~)')).toEqual([expect.stringContaining(' -since=TIME FILE')])
  })
})

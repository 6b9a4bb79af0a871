import { describe, expect, it } from 'vitest'
import { systemRandom } from '../../../lib/random.ts'
import { NamespaceView } from '../../namespaces/namespace-view.ts'
import { compileAcl } from '../../policies/acl.ts'
import { parsePolicy } from '../../policies/parse-policy.ts'
import { openMemory } from '../../storage/memory/memory.ts'
import { liveToken } from '../../tokens/live-token.ts'
import { newTokenRow } from '../../tokens/new-token.ts'
import { TestServer } from '../test-server.ts'
import type { Findings } from './authority.ts'
import { currentAcl } from './caller.ts'

const row = { format: 1, id: 'TeamId', uuid: 'u', path: 'team/', customMetadata: {} } as const
const wanted = { policies: ['p'], path: '', meta: null, displayName: '', numUses: 0, ttlMs: 0, explicitMaxTtlMs: 0 }
const token = newTokenRow(
  {
    ...wanted,
    namespace: 'root',
    periodMs: 0,
    renewable: false,
    entityId: '',
    boundCidrs: [],
    noDefaultPolicy: false,
    mount: '',
  },
  'accessor',
  0,
  [],
)

/** A token of root that streams from "team/". */
async function standing(tree: NamespaceView, more: Partial<Findings> = {}): Promise<string[] | undefined> {
  const server = new TestServer()
  const { mounts } = server.core
  const nouns = (id: string, path: string) =>
    ({ info: { id, path }, mounts }) as unknown as NonNullable<Findings['home']>
  const findings: Findings = {
    namespaces: tree,
    mounts: mounts.known,
    token: liveToken('id', token),
    home: nouns('root', ''),
    homeMounts: undefined,
    acl: compileAcl([parsePolicy('p', 'path "team/kv/*" { capabilities = ["read"] }')]),
    sealed: false,
    rows: new Map(),
    ...more,
  }
  const at = {
    nouns: nouns('TeamId', 'team/'),
    rows: { now: async () => 1 },
    incoming: { remote: { address: '127.0.0.1' } },
  }
  return (await currentAcl({ read: async () => findings }, 't', at))?.capabilities('kv/x')
}

it('a stream goes on while its token and its namespace live', async () => {
  expect(await standing(new NamespaceView('1', [row]))).toEqual(['read'])
})

it.each([
  ['is deleted', [{ ...row, deleting: true }], {}],
  ['is gone', [], {}],
  ['was made anew', [{ ...row, id: 'Other1' }], {}],
  ['is locked', [{ ...row, lock: 'hash' }], {}],
  ['is sealed with the cluster', [row], { sealed: true }],
])('a stream ends when its namespace %s', async (_, rows, more) => {
  expect(await standing(new NamespaceView('1', rows), more)).toBeUndefined()
})

describe.each(['batch', 'service'])("a %s token ends by the storage's clock", (type) => {
  it.each([20_000, -20_000, 0])('where the own one is %i ms ahead', async (aheadMs) => {
    const skew = { ms: 0 }
    const server = await TestServer.start((clock) => {
      const backend = openMemory({ clock, random: systemRandom })
      backend.now = async () => clock.now() - skew.ms
      return backend
    })
    skew.ms = aheadMs
    const { body } = await server.call('POST', 'auth/token/create', { type, ttl: '10s', policies: ['default'] })
    const alive = async () =>
      (await server.call('GET', 'auth/token/lookup-self', undefined, body.auth.client_token)).status
    expect(await alive()).toBe(200)
    await server.clock.advance(9900)
    expect(await alive()).toBe(200)
    await server.clock.advance(100)
    expect(await alive()).toBe(403)
    await server.clock.advance(60_000)
    expect(await alive()).toBe(403)
  })
})

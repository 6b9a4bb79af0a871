import { expect, it } from 'vitest'
import { FakeClock } from '../../../../lib/fake-clock.ts'
import { systemRandom } from '../../../../lib/random.ts'
import type { EntitySource } from '../../../contracts/access/standing.ts'
import { type NamespaceInfo, rootNamespace } from '../../../contracts/epochs.ts'
import { FakeRows } from '../../../contracts/fake-rows.ts'
import { DueIndex } from '../../../leases/due-index.ts'
import { PolicyStore } from '../../../policies/policy-store.ts'
import { TokenStore } from '../../../tokens/token-store.ts'
import { Subjects } from './subjects.ts'

const team: NamespaceInfo = { id: 'team01', path: 'team/' }
const other: NamespaceInfo = { id: 'other1', path: 'other/' }

/** One entity, "bob": in a group that adds the policy "group", or disabled. */
function setUp(at: NamespaceInfo = rootNamespace) {
  const rows = new FakeRows()
  const clock = new FakeClock(1000)
  const world = { disabled: false, name: 'bob' }
  const identity: EntitySource = {
    entityKey: (id) => `entity/${id}`,
    standing: async () => ({
      disabled: world.disabled,
      policies: ['group'],
      template: (name) => (name === 'identity.entity.name' ? world.name : undefined),
      depends: [],
    }),
    login: () => Promise.reject(new Error('no logins here')),
  }
  const stores = new Map(
    [rootNamespace, team, other].map((info) => [info.id, new PolicyStore({ rows, namespace: info, clock })]),
  )
  const policiesOf = (info: NamespaceInfo) => {
    const found = stores.get(info.id)
    if (!found) throw new Error('no such namespace')
    return found
  }
  const tokens = new TokenStore({ rows, due: new DueIndex(rows.view('ns/root/'), clock), random: systemRandom })
  const subjects = new Subjects({
    barrier: rows,
    tokens,
    namespace: at,
    namespaceOf: (id) => [rootNamespace, team, other].find((info) => info.id === id),
    nounsOf: (info) => ({ policies: policiesOf(info), identity }),
  })
  rows.rows.set('entity/bob', { value: Buffer.from('{}'), version: 'v1' })
  return { rows, world, subjects, tokens, policiesOf }
}
const read = (path: string) => `path "${path}" { capabilities = ["read"] }`
const newToken = {
  path: 'x',
  meta: null,
  displayName: '',
  numUses: 0,
  ttlMs: 0,
  explicitMaxTtlMs: 0,
  periodMs: 0,
  renewable: true,
  boundCidrs: [],
  noDefaultPolicy: false,
  mount: '',
}

it("an entity adds its groups' policies and fills templates, as of now", async () => {
  const { subjects, policiesOf, rows, world } = setUp()
  await policiesOf(rootNamespace).put('own', { text: read('own/{{identity.entity.name}}') })
  await policiesOf(rootNamespace).put('group', { text: read('shared') })
  const bob = await subjects.ofPolicies(['own'], 'bob')
  expect(bob?.policies).toEqual(['own', 'group'])
  expect(bob?.acl.capabilities('own/bob')).toEqual(['read'])
  expect(bob?.acl.capabilities('shared')).toEqual(['read'])
  world.name = 'rob'
  rows.rows.set('entity/bob', { value: Buffer.from('{}'), version: 'v2' })
  expect((await subjects.ofPolicies(['own'], 'bob'))?.acl.capabilities('own/rob')).toEqual(['read'])
})

it('a disabled entity, and one that is gone, has no rights at all', async () => {
  const { subjects, world } = setUp()
  expect(await subjects.ofPolicies([], 'nobody')).toBeUndefined()
  world.disabled = true
  expect(await subjects.ofPolicies(['root'], 'bob')).toBeUndefined()
})

it("a token of a parent namespace is asked with the child's paths; one of elsewhere is none", async () => {
  const { subjects, tokens, policiesOf } = setUp(team)
  await tokens.open()
  await policiesOf(rootNamespace).put('down', { text: read('team/secret/x') })
  const make = (namespace: NamespaceInfo) =>
    tokens.create({ ...newToken, namespace: namespace.id, policies: ['down'], entityId: '' })
  const subject = await subjects.ofToken((await make(rootNamespace)).token)
  expect(subject?.home).toEqual(rootNamespace)
  expect(subject?.acl.capabilities('secret/x')).toEqual(['read'])
  expect(subject?.acl.capabilities('team/secret/x')).toEqual(['deny'])
  expect(await subjects.ofToken((await make(other)).token)).toBeUndefined()
  expect(await subjects.ofToken('nonsense')).toBeUndefined()
  expect(await subjects.ofToken('')).toBeUndefined()
  expect(await subjects.ofAccessor('nonsense')).toBeUndefined()
})

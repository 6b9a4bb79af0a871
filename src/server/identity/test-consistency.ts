/** For tests: reads every row of a namespace's identity and says what doesn't fit together. */
import type { Barrier } from '../barrier/barrier.ts'
import type { SecretStorage } from '../contracts/secret-storage.ts'
import { type EntityRow, entityRowSchema, liveEntity } from './entities/entity-row.ts'
import { groupRowSchema, memberRowSchema } from './groups/group-row.ts'
import {
  aliasIdKey,
  aliasKey,
  entityNameKey,
  groupAliasIdKey,
  groupAliasKey,
  groupNameKey,
  pointerSchema,
  vouchedKey,
} from './identity-rows.ts'

interface Audit {
  readonly view: SecretStorage
  readonly keys: ReadonlySet<string>
  readonly live: Map<string, EntityRow>
  /** Index rows that there must be, with the ids that they say; '' says nothing. */
  readonly expected: Map<string, string>
  readonly wrong: string[]
}

export async function inconsistencies(barrier: Barrier): Promise<string[]> {
  const view = barrier.view('ns/root/identity/')
  const keys = new Set(await view.list('', { depth: 'all', limit: 100_000 }))
  const audit: Audit = { view, keys, live: new Map(), expected: new Map(), wrong: [] }
  for (const key of keys) if (key.startsWith('entity/')) await readEntity(audit, key)
  for (const entity of audit.live.values()) expectEntity(audit, entity)
  for (const key of keys) if (key.startsWith('group/')) await readGroup(audit, key)
  for (const key of keys) {
    if (!/^(entity\/|group\/|guard$)/.test(key) && !audit.expected.has(key)) audit.wrong.push(`${key} is left over`)
  }
  for (const [key, said] of audit.expected) await compare(audit, key, said)
  return audit.wrong
}

async function readEntity({ view, keys, live, wrong }: Audit, key: string): Promise<void> {
  const row = await view.get(key, entityRowSchema)
  const entity = liveEntity(row)
  if (entity) live.set(entity.id, entity)
  if (entity && key !== `entity/${entity.id}`) wrong.push(`${key} is called ${entity.id}`)
  if (row && 'mergedInto' in row && !keys.has(`entity/${row.mergedInto}`)) wrong.push(`${key} leads nowhere`)
}

function expectEntity({ expected, wrong }: Audit, entity: EntityRow): void {
  expected.set(entityNameKey(entity.name), entity.id)
  if (new Set(entity.aliases.map((alias) => alias.mountAccessor)).size !== entity.aliases.length) {
    wrong.push(`${entity.name} has two aliases on one mount`)
  }
  for (const alias of entity.aliases) {
    expected.set(aliasKey(alias.mountAccessor, alias.name), `${entity.id} ${alias.id}`)
    expected.set(aliasIdKey(alias.id), `${entity.id} ${alias.id}`)
    for (const name of alias.groups) expected.set(vouchedKey(alias.mountAccessor, name, entity.id), '')
  }
}

async function readGroup({ view, keys, live, expected, wrong }: Audit, key: string): Promise<void> {
  const row = await view.get(key, groupRowSchema)
  if (!row) return
  expected.set(groupNameKey(row.name), row.id)
  if (row.alias) {
    expected.set(groupAliasKey(row.alias.mountAccessor, row.alias.name), `${row.id} ${row.alias.id}`)
    expected.set(groupAliasIdKey(row.alias.id), `${row.id} ${row.alias.id}`)
  }
  const members = [...row.members]
  for (let n = 0; n < row.more; n += 1) {
    members.push(...((await view.get(`members/${row.id}/${n}`, memberRowSchema))?.members ?? []))
    expected.set(`members/${row.id}/${n}`, '')
  }
  if (new Set(members).size !== members.length) wrong.push(`${row.name} has a member twice`)
  wrong.push(...members.filter((id) => !live.has(id)).map((id) => `${row.name} has the member ${id}, who is gone`))
  wrong.push(...row.groups.filter((id) => !keys.has(`group/${id}`)).map((id) => `${row.name} has no group ${id}`))
}

async function compare({ view, keys, wrong }: Audit, key: string, said: string): Promise<void> {
  if (!keys.has(key)) wrong.push(`${key} is missing`)
  if (said === '' || !keys.has(key)) return
  const found = await view.get(key, pointerSchema)
  const says = found?.alias === undefined ? found?.id : `${found.id} ${found.alias}`
  if (says !== said) wrong.push(`${key} says ${says}, not ${said}`)
}

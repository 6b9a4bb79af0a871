/** Several entities become one: aliases, group memberships and tokens of the others are its own afterwards. */
import { Refusal } from '../../contracts/request.ts'
import type { Tx } from '../../contracts/secret-storage.ts'
import type { GroupIndex } from '../groups/group-index.ts'
import { putGroup, replaceMember } from '../groups/group-members.ts'
import type { Vouching } from '../groups/vouching.ts'
import { aliasIdKey, aliasKey, entityNameKey, type IdentityRows } from '../identity-rows.ts'
import type { AliasRow, EntityRow } from './entity-row.ts'

export interface MergeRequest {
  readonly to: string
  readonly from: readonly string[]
  /** Of two aliases on the same mount the one that stays; the other goes. */
  readonly keep: readonly string[]
}

interface Clash {
  readonly from: EntityRow
  readonly ours: AliasRow
  readonly theirs: AliasRow
}

/** A merge is one commit; what touches more rows than this has to be done in parts. */
const maxRows = 200

export async function mergeEntities(
  rows: IdentityRows,
  index: GroupIndex,
  vouching: Vouching,
  request: MergeRequest,
): Promise<void> {
  const from = [...new Set(request.from)].filter((id) => id !== '').sort()
  if (request.to === '') throw new Refusal(400, 'missing entity id to merge to')
  if (from.length === 0) throw new Refusal(400, 'missing entity ids to merge from')
  for (const id of from) {
    const entity = await rows.entity(rows.view, id)
    for (const alias of entity?.aliases ?? []) await vouching.trim(alias.id)
  }
  await rows.view.transaction((tx) => merge(rows, index, vouching, tx, { ...request, from }))
}

async function merge(
  rows: IdentityRows,
  index: GroupIndex,
  vouching: Vouching,
  tx: Tx,
  { to, from, keep }: MergeRequest,
): Promise<void> {
  const target = await rows.entity(tx, to)
  if (!target) throw new Refusal(400, 'entity id to merge to is invalid')
  if (from.length > 1 && keep.length > 1) {
    throw new Refusal(
      400,
      'aliases conflicts cannot be resolved with multiple from entity ids - merge one entity at a time',
    )
  }
  const others: EntityRow[] = []
  for (const id of from) {
    if (id === to) throw new Refusal(400, 'to_entity_id should not be present in from_entity_ids')
    const entity = await rows.entity(tx, id)
    if (!entity) throw new Refusal(400, 'entity id to merge from is invalid')
    others.push(entity)
  }
  const dropped = resolve(rows, target, others, keep)
  await index.current(tx)
  checkSize(others, index)
  const all = [target, ...others].flatMap((entity) => entity.aliases.map((alias) => ({ alias, entity })))
  const aliases = all.filter(({ alias }) => !dropped.has(alias.id)).map(({ alias, entity }) => moved(alias, entity, to))
  for (const { alias, entity } of all) {
    if (dropped.has(alias.id) || entity.id !== to) unlink(rows, vouching, tx, alias, entity.id)
  }
  for (const alias of aliases) if (!target.aliases.some((one) => one.id === alias.id)) link(rows, tx, alias, to)
  for (const entity of others) {
    tx.remove(rows.view, entityNameKey(entity.name))
    tx.put(rows.entities, entity.id, { format: 1, mergedInto: to })
  }
  const mergedIds = [...target.mergedIds, ...others.flatMap((entity) => [...entity.mergedIds, entity.id])]
  const mfaSecrets = [target, ...others].flatMap((entity) => entity.mfaSecrets ?? [])
  const second = mfaSecrets.length > 0 ? { mfaSecrets } : {}
  rows.putEntity(tx, { ...target, ...second, aliases, mergedIds, updatedAt: rows.now })
  moveMemberships(rows, index, tx, from, to)
  await rows.bumpGuard(tx)
}

/** Aliases that go; a refusal when nobody said which. An entity has one alias per mount. */
function resolve(
  rows: IdentityRows,
  target: EntityRow,
  others: readonly EntityRow[],
  keep: readonly string[],
): Set<string> {
  const owners = new Map<string, string>()
  const clashes: Clash[] = []
  for (const from of others) {
    for (const theirs of from.aliases) {
      if (owners.has(theirs.mountAccessor)) {
        throw new Refusal(
          400,
          `mount accessor ${theirs.mountAccessor} found in multiple fromEntities, merge should be done with one fromEntity at a time`,
        )
      }
      owners.set(theirs.mountAccessor, from.id)
      const ours = target.aliases.find((one) => one.mountAccessor === theirs.mountAccessor)
      if (ours) clashes.push({ from, ours, theirs })
    }
  }
  if (clashes.length > 0 && keep.length === 0) throw clashRefusal(rows, target, clashes)
  return new Set(
    clashes.map(({ ours, theirs }) => {
      if (keep.includes(ours.id)) return theirs.id
      if (keep.includes(theirs.id)) return ours.id
      throw new Refusal(
        400,
        `conflicting mount accessors in following alias IDs and neither were present in conflicting_alias_ids_to_keep: ${theirs.id}, ${ours.id}`,
      )
    }),
  )
}

function clashRefusal(rows: IdentityRows, target: EntityRow, clashes: readonly Clash[]): Refusal {
  const lines = [
    'toEntity and at least one fromEntity have aliases with the same mount accessor, repeat the merge request specifying exactly one fromEntity, clashes: ',
    ...clashes.map(
      ({ from, ours, theirs }) =>
        `mountAccessor: ${ours.mountAccessor}, toEntity ID: ${target.id}, fromEntity ID: ${from.id}, conflicting toEntity alias ID: ${ours.id}, conflicting fromEntity alias ID: ${theirs.id}`,
    ),
  ]
  const describe = (entity: EntityRow, alias: AliasRow) => {
    const mount = rows.options.mountOf(alias.mountAccessor)
    return {
      alias: alias.name,
      entity: entity.name,
      entity_id: entity.id,
      mount: mount?.type ?? '',
      mount_path: mount?.path ?? '',
    }
  }
  const data = clashes.flatMap(({ from, ours, theirs }) => [describe(target, ours), describe(from, theirs)])
  const text = `${lines.length} errors occurred:\n${lines.map((line) => `\t* ${line}\n`).join('')}\n`
  return new Refusal(400, text, { data })
}

function moved(alias: AliasRow, entity: EntityRow, to: string): AliasRow {
  return entity.id === to ? alias : { ...alias, mergedFrom: [...alias.mergedFrom, entity.id], groups: [] }
}

function link(rows: IdentityRows, tx: Tx, alias: AliasRow, entityId: string): void {
  tx.put(rows.view, aliasKey(alias.mountAccessor, alias.name), { id: entityId, alias: alias.id })
  tx.put(rows.view, aliasIdKey(alias.id), { id: entityId, alias: alias.id })
}

function unlink(rows: IdentityRows, vouching: Vouching, tx: Tx, alias: AliasRow, entityId: string): void {
  tx.remove(rows.view, aliasKey(alias.mountAccessor, alias.name))
  tx.remove(rows.view, aliasIdKey(alias.id))
  vouching.drop(tx, entityId, alias)
}

function groupsOf(index: GroupIndex, from: readonly string[]): string[] {
  return [...new Set(from.flatMap((id) => index.directOf(id)))]
}

function moveMemberships(rows: IdentityRows, index: GroupIndex, tx: Tx, from: readonly string[], to: string): void {
  for (const id of groupsOf(index, from)) {
    const group = index.get(id)
    if (group) putGroup(rows, tx, replaceMember(rows, tx, group, from, [to]))
  }
}

function checkSize(others: readonly EntityRow[], index: GroupIndex): void {
  const ids = others.map((entity) => entity.id)
  const aliases = others.flatMap((entity) => entity.aliases)
  const count = others.length * 2 + aliases.length * 2 + aliases.flatMap((alias) => alias.groups).length
  const total = count + groupsOf(index, ids).length * 3
  if (total > maxRows) {
    throw new Refusal(
      400,
      `this merge changes ${total} rows, the limit is ${maxRows}: merge fewer entities at a time, or take them out of groups first`,
    )
  }
}

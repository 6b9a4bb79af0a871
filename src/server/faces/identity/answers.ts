/** Entities, aliases and groups as clients read them. */
import { formatGoTime } from '../../../lib/go-time.ts'
import type { JsonObject } from '../../../lib/json/value.ts'
import type { AliasRow, EntityRow } from '../../identity/entities/entity-row.ts'
import type { Group } from '../../identity/groups/group-index.ts'
import type { GroupAliasRow, GroupRow } from '../../identity/groups/group-row.ts'
import type { IdentityStore } from '../../identity/identity-store.ts'

/** What was never said is null, as in Vault. */
const filled = <T extends JsonObject>(map: T): T | null => (Object.keys(map).length > 0 ? map : null)
const some = (list: readonly string[]): readonly string[] | null => (list.length > 0 ? list : null)
const idsOf = (groups: readonly GroupRow[]) => groups.map((group) => group.id)

export async function entityJson(identity: IdentityStore, entity: EntityRow): Promise<JsonObject> {
  const { direct, inherited } = await identity.membershipsOf(entity)
  return {
    aliases: entity.aliases.map((alias) => aliasOfEntity(identity, alias, entity.id)),
    creation_time: formatGoTime(entity.createdAt),
    direct_group_ids: idsOf(direct),
    disabled: entity.disabled,
    group_ids: idsOf([...direct, ...inherited]),
    id: entity.id,
    inherited_group_ids: idsOf(inherited),
    last_update_time: formatGoTime(entity.updatedAt),
    merged_entity_ids: some(entity.mergedIds),
    metadata: filled(entity.metadata),
    name: entity.name,
    namespace_id: identity.namespaceId,
    policies: entity.policies,
  }
}

function aliasOfEntity(identity: IdentityStore, alias: AliasRow, canonicalId: string): JsonObject {
  return {
    canonical_id: canonicalId,
    creation_time: formatGoTime(alias.createdAt),
    custom_metadata: filled(alias.customMetadata),
    id: alias.id,
    last_update_time: formatGoTime(alias.updatedAt),
    local: false,
    merged_from_canonical_ids: some(alias.mergedFrom),
    metadata: filled(alias.metadata),
    mount_accessor: alias.mountAccessor,
    ...mountMembers(identity, alias.mountAccessor),
    name: alias.name,
  }
}

export function aliasJson(identity: IdentityStore, alias: AliasRow, canonicalId: string): JsonObject {
  return { ...aliasOfEntity(identity, alias, canonicalId), namespace_id: identity.namespaceId }
}

/** Absent when the mount is gone. */
export function mountMembers(identity: IdentityStore, accessor: string): JsonObject {
  const mount = identity.mountOf(accessor)
  return mount ? { mount_path: mount.path, mount_type: mount.type } : {}
}

function groupAliasMembers(identity: IdentityStore, alias: GroupAliasRow, canonicalId: string): JsonObject {
  return {
    canonical_id: canonicalId,
    creation_time: formatGoTime(alias.createdAt),
    id: alias.id,
    last_update_time: formatGoTime(alias.updatedAt),
    merged_from_canonical_ids: null,
    metadata: null,
    mount_accessor: alias.mountAccessor,
    ...mountMembers(identity, alias.mountAccessor),
    name: alias.name,
  }
}

export function groupAliasJson(identity: IdentityStore, alias: GroupAliasRow, canonicalId: string): JsonObject {
  return {
    ...groupAliasMembers(identity, alias, canonicalId),
    custom_metadata: null,
    local: false,
    namespace_id: identity.namespaceId,
  }
}

export async function groupJson(identity: IdentityStore, group: Group): Promise<JsonObject> {
  const { row } = group
  const { parents, children } = await identity.kinOf(row.id)
  return {
    alias: row.alias ? groupAliasMembers(identity, row.alias, row.id) : {},
    creation_time: formatGoTime(row.createdAt),
    id: row.id,
    last_update_time: formatGoTime(row.updatedAt),
    member_entity_ids: some(await identity.membersOf(group)),
    member_group_ids: some(children),
    metadata: filled(row.metadata),
    modify_index: row.modifyIndex,
    name: row.name,
    namespace_id: identity.namespaceId,
    parent_group_ids: some(parents),
    policies: some(row.policies),
    type: row.type,
  }
}

/** The short form in lists. */
export function mountAliasInfo(
  identity: IdentityStore,
  alias: { readonly id: string; readonly name: string; readonly mountAccessor: string },
): JsonObject {
  return {
    id: alias.id,
    mount_accessor: alias.mountAccessor,
    ...mountMembers(identity, alias.mountAccessor),
    name: alias.name,
  }
}

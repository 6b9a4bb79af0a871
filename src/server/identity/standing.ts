/** What an entity gives to its tokens: policies of its own and of its groups, and values for templates. */
import type { Standing } from '../contracts/access/standing.ts'
import type { EntityRow } from './entities/entity-row.ts'
import type { GroupIndex } from './groups/group-index.ts'
import type { GroupRow } from './groups/group-row.ts'

export function vouchedGroups(entity: EntityRow, index: GroupIndex): string[] {
  return entity.aliases.flatMap((alias) =>
    alias.groups.flatMap((name) => index.external(alias.mountAccessor, name) ?? []),
  )
}

export function standingOf(entity: EntityRow, index: GroupIndex, depends: Standing['depends']): Standing {
  const { direct, inherited } = index.memberships(entity.id, vouchedGroups(entity, index))
  const groups = [...direct, ...inherited]
  const policies = [...new Set([...entity.policies, ...groups.flatMap((group) => group.policies)])].sort()
  return { disabled: entity.disabled, policies, depends, template: (name) => fill(entity, groups, name) }
}

/** Of an entity whose successor is gone: never again anything. */
export const nobody = (depends: Standing['depends']): Standing => ({
  disabled: true,
  policies: [],
  depends,
  template: () => undefined,
})

function fill(entity: EntityRow, groups: readonly GroupRow[], name: string): string | undefined {
  if (name.startsWith('identity.entity.')) return entityValue(entity, name.slice('identity.entity.'.length))
  if (name.startsWith('identity.groups.ids.')) {
    const [id = '', rest] = cut(name.slice('identity.groups.ids.'.length))
    return ofGroup(
      groups.find((group) => group.id === id),
      rest,
    )
  }
  const prefix = 'identity.groups.names.'
  if (!name.startsWith(prefix)) return undefined
  const named = name.slice(prefix.length)
  // Names may have dots: the longest that fits is meant.
  const fitting = groups.filter((group) => named.startsWith(`${group.name}.`))
  const group = fitting.sort((a, b) => b.name.length - a.name.length)[0]
  return ofGroup(group, named.slice((group?.name.length ?? 0) + 1))
}

/** `name` is what follows `identity.entity.`. */
export function entityValue(entity: EntityRow, name: string): string | undefined {
  if (name === 'id') return entity.id
  if (name === 'name') return entity.name
  const [kind, rest] = cut(name)
  if (kind === 'metadata') return own(entity.metadata, rest)
  if (kind !== 'aliases') return undefined
  const [accessor, member] = cut(rest)
  const alias = entity.aliases.find((one) => one.mountAccessor === accessor)
  if (!alias) return undefined
  if (member === 'id') return alias.id
  if (member === 'name') return alias.name
  const [map, key] = cut(member)
  return map === 'metadata'
    ? own(alias.metadata, key)
    : map === 'custom_metadata'
      ? own(alias.customMetadata, key)
      : undefined
}

function ofGroup(group: GroupRow | undefined, member: string): string | undefined {
  if (!group) return undefined
  if (member === 'id') return group.id
  if (member === 'name') return group.name
  const [kind, key] = cut(member)
  return kind === 'metadata' ? own(group.metadata, key) : undefined
}

function cut(text: string): [string, string] {
  const dot = text.indexOf('.')
  return dot < 0 ? [text, ''] : [text.slice(0, dot), text.slice(dot + 1)]
}

const own = (map: Readonly<Record<string, string>>, key: string) => (Object.hasOwn(map, key) ? map[key] : undefined)

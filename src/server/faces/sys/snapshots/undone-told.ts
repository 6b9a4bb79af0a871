/** How an answer and the log tell what a restore undid. */
import type { JsonObject } from '../../../../lib/json/value.ts'
import type { LogFields } from '../../../../lib/log.ts'
import type { Undone } from './undone.ts'
import type { UndoneKind } from './undone-kinds.ts'

const sentences: Readonly<Record<UndoneKind, string>> = {
  tokens: 'tokens that had been revoked or used up are valid again, accessors in "undone"',
  leases: 'leases that had been revoked are there again, ids in "undone"',
  mounts: 'mounts that had been disabled are there again',
  auth_rows: 'auth methods have users, roles or secret IDs again that had been removed; how many rows',
  namespaces: 'namespaces that had been deleted or locked are open again',
  policies: 'policies that had been deleted are there again',
  changed_policies: 'policies that had been changed say again what they said then',
  token_roles: 'token roles that had been deleted are there again',
  entities: 'entities that had been deleted, disabled or deprived of a policy are as they were then; their ids',
  entity_aliases: 'entity aliases that had been deleted are there again; their ids',
  groups: 'groups that had been deleted are there again; their ids',
  changed_groups: 'groups that had been changed have their members and policies of then; their ids',
  not_compared:
    'rows can not be read and compared, so that it is not known whether they give something back; their keys in "undone"',
}
/** Whoever has such a name can end what it names; keys of rows may hold anything. In the data the audit hashes them; it writes warnings as they are. */
const unspoken: ReadonlySet<UndoneKind> = new Set(['tokens', 'leases', 'not_compared'])
const namedInWarning = 10
const namedInLog = 100

/** The answer's `undone`: null is not known. */
export function undoneJson(undone: Undone | undefined): JsonObject | null {
  if (!undone) return null
  return Object.fromEntries(
    [...undone].map(([kind, { count, named }]) => [kind, { count, named: [...named], unnamed: count - named.length }]),
  )
}

export function warningsOf(undone: Undone | undefined, takenAt: string): string[] {
  if (!undone) return [`what had been revoked and is valid again is not known: ${whereToLook(takenAt)}`]
  return [...undone].map(([kind, { count, named }]) => {
    if (unspoken.has(kind)) return `${count} ${sentences[kind]}`
    const shown = named.slice(0, namedInWarning)
    const more = count > shown.length ? [`and ${count - shown.length} more`] : []
    return `${count} ${sentences[kind]}: ${[...shown, ...more].join(', ')}`
  })
}

/** In place of an answer that could not be given. */
export function whereToFind(undone: Undone | undefined, takenAt: string): string {
  if (!undone) return `What came alive again is not known: ${whereToLook(takenAt)}`
  if (undone.size === 0) return 'Nothing that had been taken away came alive again'
  const known = 'What came alive again is in the log of the server'
  const hidden = [...undone.keys()].some((kind) => unspoken.has(kind))
  return hidden
    ? `${known}, of tokens, leases and rows that were not compared only how many: ${whereToLook(takenAt)}`
    : known
}

/** Of a storage that is lost, only what was written elsewhere tells. The time comes from the file and ends up in a shell. */
export function whereToLook(takenAt: string): string {
  const at = Date.parse(takenAt)
  const since = Number.isNaN(at) ? 'TIME' : new Date(at).toISOString()
  return `look into the audit files of the server that took the snapshot, coffer audit query -revocations -since=${since} FILE...`
}

export const countsOf = (undone: Undone): Readonly<Record<string, number>> =>
  Object.fromEntries([...undone].map(([kind, { count }]) => [kind, count]))

export function countFields(counts: Readonly<Record<string, number>>): LogFields {
  return Object.fromEntries(Object.entries(counts).map(([kind, count]) => [nameOfCount(kind), count]))
}

export function nameFields(undone: Undone): LogFields {
  const named = [...undone].filter(([kind]) => !unspoken.has(kind))
  return Object.fromEntries(named.map(([kind, one]) => [camelCase(kind), one.named.slice(0, namedInLog)]))
}
const nameOfCount = (kind: string) => (kind === 'not_compared' ? camelCase(kind) : `${camelCase(kind)}Alive`)
const camelCase = (kind: string) => kind.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase())

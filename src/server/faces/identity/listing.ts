/** Lists of identity: by id with a few words about each, by name without. */
import type { JsonObject } from '../../../lib/json/value.ts'
import type { Fields } from '../../contracts/fields.ts'
import type { Reply } from '../../contracts/request.ts'

export const pageFields = {
  after: { kind: 'string', description: 'Begins after this id', default: '' },
  limit: { kind: 'int', description: 'At most this many. 0 or negative: all', default: 0 },
} as const satisfies Fields

export interface Listed {
  readonly key: string
  readonly info?: JsonObject
}

export interface Page {
  readonly after: string
  readonly limit: number
  readonly signal: AbortSignal
}

/** `names` are sorted. */
export const namesAfter = (names: readonly string[], after: string): Listed[] =>
  names.filter((key) => key > after).map((key) => ({ key }))

export async function listed(items: AsyncIterable<Listed> | Iterable<Listed>, page: Page): Promise<Reply> {
  const { limit, signal } = page
  const keys: string[] = []
  const info: Record<string, JsonObject> = Object.create(null)
  for await (const { key, info: about } of items) {
    if (signal.aborted) throw signal.reason
    keys.push(key)
    if (about) info[key] = about
    if (keys.length === limit) break
  }
  return { kind: 'data', data: { ...(Object.keys(info).length > 0 && { key_info: info }), keys } }
}

import type { JsonObject } from '../../../lib/json/value.ts'
import type { Call, Reply } from '../../contracts/request.ts'
import type { SecretStorage } from '../../contracts/secret-storage.ts'
import { metadataAnswer } from './keys/answers.ts'
import { keyRow } from './keys/key-row.ts'
import { findKey } from './keys/stored-key.ts'
import { nextTurn } from './turn.ts'

export const listFields = {
  after: { kind: 'string', description: 'Names after this one.', default: '' },
  limit: { kind: 'int', description: 'At most this many. 0 or negative: all.', default: 0 },
} as const

type ListCall = Pick<Call<{ readonly after: string; readonly limit: number }>, 'storage' | 'input' | 'signal'>
const pageSize = 1000
/** Rows read together for a list with details. */
const together = 50

/** Names one level below a folder, folders with their slash, in byte order. */
export async function listKeys(call: ListCall, path: string): Promise<Reply> {
  return keysReply(await listed(call, path))
}

/** All keys below a folder; those of each level before those of its folders. */
export async function scanKeys(call: ListCall, path: string): Promise<Reply> {
  return keysReply(await scanned(call, path))
}

/** As a list, and what the metadata of each key says. */
export async function listDetails(call: ListCall, path: string, names: 'list' | 'scan'): Promise<Reply> {
  const keys = await (names === 'list' ? listed(call, path) : scanned(call, path))
  const details: [string, JsonObject][] = []
  for (let from = 0; from < keys.length; from += together) {
    call.signal.throwIfAborted()
    details.push(...(await Promise.all(keys.slice(from, from + together).map((key) => detailsOf(call, path, key)))))
    await nextTurn()
  }
  return keys.length > 0 ? { kind: 'data', data: { keys, key_info: Object.fromEntries(details) } } : { kind: 'none' }
}

async function detailsOf({ storage }: ListCall, path: string, name: string): Promise<[string, JsonObject]> {
  const key = name.endsWith('/') ? undefined : await findKey(storage, folder(path) + name)
  return [name, key ? metadataAnswer(key.state) : {}]
}

function listed({ input, storage, signal }: ListCall, path: string): Promise<string[]> {
  const { after, limit } = input
  return names({ storage, signal, below: folder(path), after, limit: limit > 0 ? limit : Number.POSITIVE_INFINITY })
}

async function scanned({ input, storage, signal }: ListCall, path: string): Promise<string[]> {
  const { after } = input
  const limit = input.limit > 0 ? input.limit : Number.POSITIVE_INFINITY
  const found: string[] = []
  const visit = async (below: string): Promise<void> => {
    const all = { storage, signal, below: folder(path) + below, after: '', limit: Number.POSITIVE_INFINITY }
    const level = await names(all)
    for (const name of level) {
      if (found.length >= limit) return
      if (!name.endsWith('/') && (after === '' || scanOrder(below + name, after) > 0)) found.push(below + name)
    }
    for (const name of level) {
      if (found.length >= limit) return
      // Folders that lie wholly before `after` are not entered.
      const entered = after === '' || after.startsWith(below + name) || scanOrder(below + name, after) > 0
      if (name.endsWith('/') && entered) await visit(below + name)
    }
  }
  await visit('')
  return found
}

/** The order of a scan: at the first segment in which two paths differ, what ends there stands first, then byte order. */
function scanOrder(a: string, b: string): number {
  const [left, right] = [a.split('/'), b.split('/')]
  const at = left.findIndex((segment, i) => segment !== right[i])
  if (at < 0) return left.length - right.length
  const [leftEnds, rightEnds] = [at === left.length - 1, at === right.length - 1]
  if (leftEnds !== rightEnds) return leftEnds ? -1 : 1
  return Buffer.compare(Buffer.from(left[at] ?? ''), Buffer.from(right[at] ?? ''))
}

export function folder(path: string): string {
  return path === '' || path.endsWith('/') ? path : `${path}/`
}

interface NamesBelow {
  readonly storage: SecretStorage
  readonly signal: AbortSignal
  readonly below: string
  readonly after: string
  readonly limit: number
}

async function names({ storage, signal, below, after, limit }: NamesBelow): Promise<string[]> {
  const found: string[] = []
  let from = after
  while (found.length < limit) {
    signal.throwIfAborted()
    const wanted = Math.min(pageSize, limit - found.length)
    const page = await storage.list(keyRow(below), {
      depth: 'children',
      limit: wanted,
      ...(from !== '' && { after: from }),
    })
    found.push(...page)
    if (page.length < wanted) break
    from = page.at(-1) ?? ''
    await nextTurn()
  }
  return found
}

function keysReply(keys: readonly string[]): Reply {
  return keys.length > 0 ? { kind: 'data', data: { keys } } : { kind: 'none' }
}

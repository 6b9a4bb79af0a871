import type { Call, Reply } from '../../contracts/request.ts'
import type { SecretStorage } from '../../contracts/secret-storage.ts'
import { keyRow } from './key-row.ts'

export const listFields = {
  after: { kind: 'string', description: 'Names after this one.', default: '' },
  limit: { kind: 'int', description: 'At most this many. 0 or negative: all.', default: 0 },
} as const

type ListCall = Pick<Call<{ readonly after: string; readonly limit: number }>, 'storage' | 'input'>
const pageSize = 1000

/** Names one level below a folder, folders with their slash, in byte order. */
export async function listKeys(call: ListCall, path: string): Promise<Reply> {
  const { after, limit } = call.input
  return keysReply(await names(call.storage, folder(path), after, limit > 0 ? limit : Number.POSITIVE_INFINITY))
}

/** All keys below a folder; those of each level before those of its folders. */
export async function scanKeys(call: ListCall, path: string): Promise<Reply> {
  const { after, limit } = call.input
  const found: string[] = []
  const visit = async (below: string): Promise<void> => {
    const level = await names(call.storage, folder(path) + below, '', Number.POSITIVE_INFINITY)
    for (const name of level) if (!name.endsWith('/')) found.push(below + name)
    for (const name of level) if (name.endsWith('/')) await visit(below + name)
  }
  await visit('')
  const start = after === '' ? 0 : found.indexOf(after) + 1
  return keysReply(limit > 0 ? found.slice(start, start + limit) : found.slice(start))
}

function folder(path: string): string {
  return path === '' || path.endsWith('/') ? path : `${path}/`
}

async function names(storage: SecretStorage, below: string, after: string, limit: number): Promise<string[]> {
  const found: string[] = []
  let from = after
  while (found.length < limit) {
    const wanted = Math.min(pageSize, limit - found.length)
    const page = await storage.list(keyRow(below), {
      depth: 'children',
      limit: wanted,
      ...(from !== '' && { after: from }),
    })
    found.push(...page)
    if (page.length < wanted) break
    from = page.at(-1) ?? ''
  }
  return found
}

function keysReply(keys: readonly string[]): Reply {
  return keys.length > 0 ? { kind: 'data', data: { keys } } : { kind: 'none' }
}

/** Work on each key of a tree, one after the other, a bounded number per request: the client goes on with `next`. */
import type { JsonObject } from '../../../../lib/json/value.ts'
import type { RandomBytes } from '../../../../lib/random.ts'
import { type Call, Refusal, type Reply } from '../../../contracts/request.ts'
import { findKey } from '../keys/stored-key.ts'
import { nextTurn } from '../turn.ts'
import type { TreePath } from './tree-path.ts'
import { cursorAt, keysBelow, Reader } from './walk.ts'

export const treeFields = {
  dry_run: { kind: 'bool', description: 'Only say what would happen.', default: false },
  after: { kind: 'string', description: 'Continue there: the "next" of the answer before.', default: '' },
  limit: { kind: 'int', description: 'At most this many keys in one request, up to 1000.', default: 500 },
} as const

export interface TreeInput {
  readonly dry_run: boolean
  readonly after: string
  readonly limit: number
}

export interface TreeWork {
  readonly random: RandomBytes
  /** Whether the caller's policies allow for this key what the single operations would need. */
  permitted(reader: Reader, path: string): boolean
  /** What the answer says about a key. */
  describe(path: string): JsonObject
  /** Undefined: nothing to do; 'done', also for a dry run that would do it; else why not. */
  work(path: string, dryRun: boolean): Promise<'done' | string | undefined>
}

/** What one request looks at when the caller may see nothing of it. */
const mostNames = 10_000
const mostKeys = 1000

/**
 * Keys that the caller may not even list are passed over as if they were not there. Interrupted at any point, the same request
 * does the rest: what is done is no longer found.
 */
export async function workThrough(call: Call<TreeInput>, tree: TreePath, work: TreeWork): Promise<Reply> {
  const { limit, dry_run: dryRun, after } = call.input
  if (limit < 1 || limit > mostKeys) throw new Refusal(400, `limit must be between 1 and ${mostKeys}`)
  const reader = new Reader(call)
  const keys: JsonObject[] = []
  const skipped: JsonObject[] = []
  let [names, versions, last] = [0, 0, '']
  const answer = (next: string): Reply => ({
    kind: 'data',
    data: { dry_run: dryRun, keys, count: keys.length, versions, skipped, next },
  })
  for await (const path of pathsOf(call, tree, after)) {
    if (keys.length + skipped.length >= limit || names >= mostNames)
      return answer(await cursorAt(call.storage, work.random, reader, last))
    names += 1
    last = path
    if (!reader.mayFind(path)) continue
    const permitted = work.permitted(reader, path)
    const key = permitted ? await findKey(call.storage, path) : undefined
    const outcome = permitted ? key && (await work.work(path, dryRun)) : 'permission denied'
    if (key && outcome === 'done') {
      const count = key.state.older.length + Math.min(1, key.state.current.version)
      versions += count
      keys.push({ ...work.describe(path), versions: count })
    } else if (outcome !== undefined) skipped.push({ path, reason: outcome })
    await nextTurn()
  }
  return answer('')
}

async function* pathsOf(call: Call<TreeInput>, tree: TreePath, after: string): AsyncGenerator<string> {
  if (tree.isFolder) yield* keysBelow(call.storage, tree.path, after, call.signal)
  else if (await findKey(call.storage, tree.path)) yield tree.path
}

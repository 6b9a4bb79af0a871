import type { RandomBytes } from '../../../../lib/random.ts'
import type { InputOf } from '../../../contracts/fields.ts'
import { type Call, operation, type Reply, type Route } from '../../../contracts/request.ts'
import { deleteLatest } from '../data.ts'
import { removeKey } from '../keys/remove-key.ts'
import { findKey } from '../keys/stored-key.ts'
import { isGone } from '../keys/versions.ts'
import { treePath } from './tree-path.ts'
import { treeFields, workThrough } from './tree-work.ts'

const fields = {
  path: { kind: 'string', description: 'A key ("team/app"), or a folder with its slash ("team/").', required: true },
  permanent: {
    kind: 'bool',
    description:
      'Remove all versions and metadata for good, instead of the latest version so that it can be undeleted.',
    default: false,
  },
  ...treeFields,
} as const

async function remove(call: Call<InputOf<typeof fields>>, random: RandomBytes): Promise<Reply> {
  const { storage, now, signal } = call
  const { permanent } = call.input
  const tree = treePath('path', call.input.path)
  return workThrough(call, tree, {
    random,
    permitted: (reader, path) => reader.permits(`${permanent ? 'metadata' : 'data'}/${path}`, 'delete'),
    describe: (path) => ({ path }),
    async work(path, dryRun) {
      const done = dryRun
        ? permanent || (await hasLatest(call, path))
        : permanent
          ? await removeKey(storage, path, signal)
          : await deleteLatest(storage, path, now)
      return done ? 'done' : undefined
    },
  })
}

async function hasLatest({ storage, now }: Pick<Call, 'storage' | 'now'>, path: string): Promise<boolean> {
  const current = (await findKey(storage, path))?.state.current
  return current !== undefined && current.version > 0 && !isGone(current, now)
}

export function treeDeleteRoute(random: RandomBytes): Route {
  return {
    path: 'coffer/delete',
    summary: 'Delete a key or all keys of a folder.',
    on: { update: operation({ input: fields, handle: (call) => remove(call, random) }) },
  }
}

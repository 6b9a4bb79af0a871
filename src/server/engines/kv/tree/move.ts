import type { RandomBytes } from '../../../../lib/random.ts'
import type { InputOf } from '../../../contracts/fields.ts'
import { type Call, operation, Refusal, type Reply, type Route } from '../../../contracts/request.ts'
import { keyRow } from '../keys/key-row.ts'
import { moveKey } from './move-key.ts'
import { fits, type TreePath, targetPath, treePath } from './tree-path.ts'
import { treeFields, workThrough } from './tree-work.ts'

const fields = {
  from: { kind: 'string', description: 'A key ("team/app"), or a folder with its slash ("team/").', required: true },
  to: { kind: 'string', description: 'The new path; for a folder the new folder, "/" for the root.', required: true },
  ...treeFields,
} as const

const words = {
  moved: 'done',
  gone: undefined,
  exists: 'there is a key at the new path',
  busy: 'the key changed while it was being moved: try again',
} as const

/** Versions, their times and all metadata stay as they are. */
async function move(call: Call<InputOf<typeof fields>>, random: RandomBytes): Promise<Reply> {
  const { storage, now, signal } = call
  const from = treePath('from', call.input.from)
  const to = targetPath('to', call.input.to)
  const target = targetOf(from, to)
  return workThrough(call, from, {
    random,
    // What a client would need that reads every version, writes them anew and deletes what it read.
    permitted: (reader, path) =>
      reader.permits(`data/${path}`, 'read') &&
      reader.permits(`metadata/${path}`, 'read') &&
      reader.permits(`metadata/${path}`, 'delete') &&
      reader.permits(`data/${target(path)}`, 'create') &&
      reader.permits(`metadata/${target(path)}`, 'create'),
    describe: (path) => ({ from: path, to: target(path) }),
    async work(path, dryRun) {
      const wanted = target(path)
      if (!fits(storage.prefix, wanted)) return 'the new path is too long'
      if (!dryRun) return words[await moveKey({ storage, from: path, to: wanted, now, random, signal })]
      return (await storage.getBytes(keyRow(wanted))) ? words.exists : 'done'
    },
  })
}

/** Refusal 400 when the paths do not go together. */
function targetOf(from: TreePath, to: TreePath): (path: string) => string {
  if (!from.isFolder) {
    const name = from.path.slice(from.path.lastIndexOf('/') + 1)
    const path = to.isFolder ? to.path + name : to.path
    if (path === from.path) throw new Refusal(400, 'from and to are the same path')
    return () => path
  }
  const folder = to.isFolder ? to.path : `${to.path}/`
  if (folder.startsWith(from.path) || from.path.startsWith(folder))
    throw new Refusal(400, 'neither of from and to may lie within the other: move to a folder beside it first')
  return (path) => folder + path.slice(from.path.length)
}

export function moveRoute(random: RandomBytes): Route {
  return {
    path: 'coffer/move',
    summary: 'Move a key or all keys of a folder within the mount, with their versions and metadata.',
    on: { update: operation({ input: fields, handle: (call) => move(call, random) }) },
  }
}

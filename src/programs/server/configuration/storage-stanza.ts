/** `storage "x" { … }`, which Vault also calls `backend`. */
import { blocks, members } from '../../../lib/hcl/read.ts'
import { HclError, type HclObject } from '../../../lib/hcl/tree.ts'
import { bytesOf, checkSettings, textOf } from './settings.ts'

export type StorageConfig =
  | { readonly kind: 'inmem' }
  | { readonly kind: 'lmdb'; readonly path: string; readonly minFreeBytes?: number }

export function readStorage(document: HclObject): StorageConfig {
  const found = [...blocks(document, 'storage', 1), ...blocks(document, 'backend', 1)]
  const [block] = found
  if (!block)
    throw new HclError('a storage block is missing: storage "lmdb" { path = "…" } or storage "inmem" {}', {
      line: 1,
      column: 1,
    })
  if (found.length > 1 && found[1]) throw new HclError('there can be only one storage block', found[1])
  const [kind] = block.labels
  if (kind === 'inmem') {
    checkSettings(block.body, { where: 'storage "inmem"', read: [] })
    return { kind: 'inmem' }
  }
  if (kind !== 'lmdb') throw new HclError(`storage "${kind}" is not supported: "lmdb" and "inmem" are`, block)
  checkSettings(block.body, { where: 'storage "lmdb"', read: ['path', 'min_free'] })
  const settings = members(block.body)
  const path = textOf(settings['path'])
  if (!path) throw new HclError('storage "lmdb" needs a path', block)
  const minFree = settings['min_free']
  return { kind: 'lmdb', path, ...(minFree ? { minFreeBytes: bytesOf(minFree) } : {}) }
}

/** `storage "x" { … }`, which Vault also calls `backend`. */
import { blocks, type HclBlock, members } from '../../../lib/hcl/read.ts'
import { HclError, type HclObject } from '../../../lib/hcl/tree.ts'
import { type PostgresConfig, readPostgres } from './postgres-stanza.ts'
import { bytesOf, checkSettings, textOf } from './settings.ts'

export type StorageConfig =
  | { readonly kind: 'inmem' }
  | { readonly kind: 'lmdb'; readonly path: string; readonly minFreeBytes?: number }
  | PostgresConfig

export interface ReadStorage {
  readonly storage: StorageConfig
  readonly warnings: readonly string[]
}

export function readStorage(document: HclObject): ReadStorage {
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
    const warnings = checkSettings(block.body, { where: 'storage "inmem"', read: [] })
    return { storage: { kind: 'inmem' }, warnings }
  }
  if (kind === 'lmdb') return readLmdb(block)
  if (kind === 'postgresql') return readPostgres(block)
  throw new HclError(`storage "${kind}" is not supported: "lmdb", "postgresql" and "inmem" are`, block)
}

function readLmdb(block: HclBlock): ReadStorage {
  const warnings = checkSettings(block.body, { where: 'storage "lmdb"', read: ['path', 'min_free'] })
  const settings = members(block.body)
  const path = textOf(settings['path'])
  if (!path) throw new HclError('storage "lmdb" needs a path', block)
  const minFree = settings['min_free']
  return { storage: { kind: 'lmdb', path, ...(minFree ? { minFreeBytes: bytesOf(minFree) } : {}) }, warnings }
}

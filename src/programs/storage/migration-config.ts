import { readFileSync } from 'node:fs'
import { parseHcl } from '../../lib/hcl/parse.ts'
import { HclError, type HclObject } from '../../lib/hcl/tree.ts'
import { checkSettings } from '../server/configuration/settings.ts'
import { readStorage, type StorageConfig } from '../server/configuration/storage-stanza.ts'

export type LastingStorage = Exclude<StorageConfig, { kind: 'inmem' }>

export interface MigrationConfig {
  readonly source: LastingStorage
  readonly destination: LastingStorage
  readonly warnings: readonly string[]
}

/** Vault's file: two storage stanzas under other names. Throws HclError, or what reading the file throws. */
export function readMigration(file: string): MigrationConfig {
  const document = parseHcl(readFileSync(file, 'utf8'))
  const warnings = checkSettings(document, {
    where: 'the configuration of a migration',
    read: ['storage_source', 'storage_destination'],
    inert: { cluster_addr: 'nothing here is raft', api_addr: 'nobody is called' },
  })
  const source = storageOf(document, 'storage_source')
  const destination = storageOf(document, 'storage_destination')
  return {
    source: source.storage,
    destination: destination.storage,
    warnings: [...warnings, ...source.warnings, ...destination.warnings],
  }
}

function storageOf(document: HclObject, name: string): { storage: LastingStorage; warnings: readonly string[] } {
  const items = document.items.filter(({ key }) => key === name)
  const [first] = items
  if (!first) throw new HclError(`the block ${name} is missing: ${name} "lmdb" { path = "…" }`, { line: 1, column: 1 })
  const { storage, warnings } = readStorage({ items: items.map((item) => ({ ...item, key: 'storage' })) })
  if (storage.kind === 'inmem') throw new HclError(`${name} "inmem" holds nothing: there is nothing to migrate`, first)
  return { storage, warnings }
}

/** As people know it; never a URL, which may hold a password. */
export const placeOf = (config: LastingStorage): string =>
  config.kind === 'lmdb' ? `lmdb in ${config.path}` : `postgresql, table ${config.table}`

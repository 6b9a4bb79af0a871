import { existsSync } from 'node:fs'
import { link, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { StorageBackend } from '../../server/contracts/storage.ts'
import { Holders } from '../../server/storage/lmdb/holders.ts'
import { type OpenParts, openStorage } from '../server/storage.ts'
import type { LastingStorage } from './migration-config.ts'

type LmdbConfig = Extract<LastingStorage, { kind: 'lmdb' }>

/** A storage that is filled beside its place and appears there when it is whole. */
export interface StagedLmdb {
  readonly backend: StorageBackend
  /** Closes it and puts it in its place. Throws when something is there meanwhile. */
  publish(): Promise<void>
  /** Closes it and leaves nothing. */
  discard(): Promise<void>
}

const names = ['coffer.mdb', 'closed.json'] as const

/** In a folder of its own below the storage's: one file system, so that a link puts it in its place. */
export async function stageLmdb(config: LmdbConfig, parts: OpenParts): Promise<StagedLmdb> {
  const folder = join(config.path, 'migrating')
  if (existsSync(join(config.path, names[0]))) {
    throw new Error(`storage_destination is not empty: there is a ${names[0]} in ${config.path}`)
  }
  const holders = new Holders({ folder, clock: parts.clock, random: parts.random })
  if ((await holders.countAlive()) > 0) throw new Error(`another migration is filling ${folder}`)
  await rm(folder, { recursive: true, force: true })
  const backend = await openStorage({ ...config, path: folder }, parts)
  const discard = async () => {
    await backend.close().catch(() => undefined)
    await rm(folder, { recursive: true, force: true })
  }
  return {
    backend,
    discard,
    publish: async () => {
      await backend.close()
      // Of a storage that was removed.
      await rm(join(config.path, 'closed.json'), { force: true })
      // Unlike a rename a link takes nobody's place. Without the mark of its end a server would only check the file.
      for (const name of [...names].reverse()) await link(join(folder, name), join(config.path, name))
      await rm(folder, { recursive: true, force: true })
      const directory = await open(config.path, 'r')
      await directory.sync().finally(() => directory.close())
    },
  }
}

/** Storages as the command line opens them, with no server: moved, checked. */
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LocalStorage, Migration, OnProgress } from '../../cli/operator/storage/local-storage.ts'
import { systemClock } from '../../lib/clock.ts'
import { silentLog } from '../../lib/log.ts'
import { systemRandom } from '../../lib/random.ts'
import { type StorageBackend, StorageDown } from '../../server/contracts/storage.ts'
import { Holders } from '../../server/storage/lmdb/holders.ts'
import { type Migrated, migrate, unlockMigration } from '../../server/storage/migration.ts'
import { type OpenParts, openStorage } from '../server/storage.ts'
import { checkConfigured } from './check-storage.ts'
import { type LastingStorage, type MigrationConfig, placeOf, readMigration } from './migration-config.ts'
import { stageLmdb } from './staged-lmdb.ts'
import { verifySnapshot } from './verify-snapshot.ts'

type Env = Readonly<Record<string, string | undefined>>

export const localStorage = (env: Env): LocalStorage => {
  const parts: OpenParts = { clock: systemClock, random: systemRandom, log: silentLog, env, migrating: true }
  return {
    openMigration: async (file) => migrationOf(readMigration(file), parts),
    check: (options) => checkConfigured(options, parts),
    verifySnapshot: (file, { scratch = tmpdir(), signal }) => verifySnapshot(file, scratch, parts, signal),
  }
}

function migrationOf(config: MigrationConfig, parts: OpenParts): Migration {
  const { source, destination, warnings } = config
  return {
    warnings,
    run: ({ signal, onProgress }) =>
      withSource(source, parts, async (from) => {
        const beforeEnd = () => assertAlone(source, parts, 1)
        const done = await into(destination, { from, parts, signal, onProgress, beforeEnd })
        return { ...done, from: placeOf(source), to: placeOf(destination) }
      }),
    reset: () => withSource(source, parts, (from) => unlockMigration(from, systemRandom)),
  }
}

async function withSource<T>(
  config: LastingStorage,
  parts: OpenParts,
  work: (from: StorageBackend) => Promise<T>,
): Promise<T> {
  if (config.kind === 'lmdb' && !existsSync(join(config.path, 'coffer.mdb'))) {
    throw new Error(`error mounting 'storage_source': there is no coffer.mdb in ${config.path}`)
  }
  await assertAlone(config, parts, 0)
  const from = await mounting('storage_source', openStorage(config, parts))
  try {
    return await work(from)
  } finally {
    await from.close()
  }
}

/** A server that has the file open, sealed or not, may write to it at any time. PostgreSQL: see migrate. */
async function assertAlone(config: LastingStorage, parts: OpenParts, expected: number): Promise<void> {
  if (config.kind !== 'lmdb') return
  const holders = new Holders({ folder: config.path, clock: parts.clock, random: parts.random })
  if ((await holders.countAlive()) > expected) {
    throw new StorageDown(`a server has ${config.path} open: stop it first`)
  }
}

interface Copying {
  readonly from: StorageBackend
  readonly parts: OpenParts
  readonly signal: AbortSignal
  readonly onProgress: OnProgress
  readonly beforeEnd: () => Promise<void>
}

async function into(config: LastingStorage, options: Copying): Promise<Migrated> {
  const { parts, ...rest } = options
  const copy = (to: StorageBackend) => migrate({ ...rest, to, clock: parts.clock, random: parts.random })
  if (config.kind === 'lmdb') {
    const staged = await mounting('storage_destination', stageLmdb(config, parts))
    try {
      const done = await copy(staged.backend)
      await staged.publish()
      return done
    } catch (error) {
      await staged.discard()
      throw error
    }
  }
  const to = await mounting('storage_destination', openStorage(config, parts))
  try {
    return await copy(to)
  } finally {
    await to.close()
  }
}

async function mounting<T>(stanza: string, opening: Promise<T>): Promise<T> {
  try {
    return await opening
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`error mounting '${stanza}': ${why}`, { cause })
  }
}

import { readFileSync } from 'node:fs'
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/log.ts'
import type { RandomBytes } from '../../lib/random.ts'
import { type Env, setting } from '../../lib/setting.ts'
import { nodeFlags } from '../../lib/v8-flags.ts'
import { type StorageBackend, StorageDown } from '../../server/contracts/storage.ts'
import type { Peers } from '../../server/storage/lmdb/lmdb.ts'
import { refuseWhileMigrating } from '../../server/storage/migration.ts'
import type { PostgresConfig } from './configuration/postgres-stanza.ts'
import type { ServerConfig } from './configuration.ts'

export interface OpenParts {
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: Logger
  readonly env: Env
  /** This process is one of several of the server. */
  readonly seat?: { readonly peers: Peers; readonly facts: { readonly storageChecked: boolean } }
  /** Who opens it is the one that migrates. */
  readonly migrating?: true
}

/** Opens what the configuration names; each kind is loaded only when it is used. Throws StorageDown, also while it is being migrated. */
export async function openStorage(config: ServerConfig['storage'], parts: OpenParts): Promise<StorageBackend> {
  const { migrating, ...options } = parts
  const backend = await openKind(config, options)
  if (config.kind === 'inmem' || migrating) return backend
  try {
    await refuseWhileMigrating(backend)
    return backend
  } catch (error) {
    await backend.close()
    throw error
  }
}

async function openKind(
  config: ServerConfig['storage'],
  options: Omit<OpenParts, 'migrating'>,
): Promise<StorageBackend> {
  if (config.kind === 'inmem') {
    const { openMemory } = await import('../../server/storage/memory/memory.ts')
    return openMemory(options)
  }
  if (config.kind === 'postgresql') return openPostgresql(config, options)
  const { openLmdb } = await import('../../server/storage/lmdb/lmdb.ts')
  const { seat, env: _, ...parts } = options
  return openLmdb({
    ...parts,
    ...(seat ? { peers: seat.peers } : {}),
    path: config.path,
    ...(config.minFreeBytes === undefined ? {} : { minFreeBytes: config.minFreeBytes }),
    check: seat?.facts.storageChecked ? 'done' : { command: checkCommand() },
    fatal: (error) => {
      // After a failed commit LMDB's heap may be corrupt: nothing may be written any more, not even on the way out.
      options.log.error('storage failed, ending at once', { error: error.message })
      process.exit(1)
    },
  })
}

export const checkCommand = (): string[] => [
  process.execPath,
  ...nodeFlags(),
  process.argv[1] ?? '',
  'server',
  'check-storage',
]

/** `coffer server check-storage FILE`: what a server runs before it opens a file after an unclean end. */
export async function checkStorage(file: string): Promise<number> {
  const { checkLmdbFile } = await import('../../server/storage/lmdb/check.ts')
  return checkLmdbFile(file)
}

async function openPostgresql(
  config: PostgresConfig,
  options: { readonly clock: Clock; readonly random: RandomBytes; readonly log: Logger; readonly env: Env },
): Promise<StorageBackend> {
  const { openPostgres } = await import('../../server/storage/postgres/postgres.ts')
  const { parseConnectionUrl } = await import('../../server/storage/postgres/connection/connection-url.ts')
  const { tableNames } = await import('../../server/storage/postgres/table-names.ts')
  // As in Vault the environment goes before the file.
  const url = setting(options.env, 'PG_CONNECTION_URL')?.value ?? config.connectionUrl
  if (!url) {
    throw new Error('storage "postgresql" needs a connection_url, there or in VAULT_PG_CONNECTION_URL')
  }
  const target = parseConnectionUrl(url)
  const names = tableNames(config.table)
  if (!names) throw new Error('storage "postgresql": "table" is no name')
  const password = async () =>
    passwordOf(config.password, options.env) ?? target.password?.reveal() ?? options.env['PGPASSWORD']
  for (let retries = config.connectRetries; ; retries -= 1) {
    try {
      return await openPostgres({ ...options, ...config, target, password, names })
    } catch (error) {
      if (retries <= 0) throw error
      options.log.warn('the database is not there yet', { retries })
      await options.clock.sleep(1000)
    }
  }
}

/** Read anew for each connection, so that a file may be replaced. Undefined: none is configured beside the URL. */
function passwordOf(source: string | undefined, env: Env): string | undefined {
  if (source === undefined) return undefined
  if (source.startsWith('file://')) {
    const path = source.slice('file://'.length)
    try {
      return readFileSync(path, 'utf8').replace(/\r?\n$/, '')
    } catch (cause) {
      throw new StorageDown(`storage "postgresql": the password file ${path} cannot be read`, { cause })
    }
  }
  if (!source.startsWith('env://')) return source
  const name = source.slice('env://'.length)
  const value = env[name]
  if (!value) throw new StorageDown(`storage "postgresql": password: the environment has no ${name}`)
  return value
}

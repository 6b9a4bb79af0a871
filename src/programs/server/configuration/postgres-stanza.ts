/** `storage "postgresql" { … }`, with Vault's names. */
import { type HclBlock, members } from '../../../lib/hcl/read.ts'
import { HclError } from '../../../lib/hcl/tree.ts'
import { ConnectionUrlError, parseConnectionUrl } from '../../../server/storage/postgres/connection/connection-url.ts'
import { tableNames } from '../../../server/storage/postgres/table-names.ts'
import { boolOf, checkSettings, countOf, textOf } from './settings.ts'

/** Plain values: it is handed to worker processes. The URL and the password are never printed. */
export interface PostgresConfig {
  readonly kind: 'postgresql'
  /** Absent: in the environment. */
  readonly connectionUrl?: string
  /** "file:///path", "env://NAME", or the password. */
  readonly password?: string
  readonly table: string
  readonly maxParallel: number
  readonly maxIdle: number
  /** How often an unreachable database is tried again at the start. */
  readonly connectRetries: number
}

const where = 'storage "postgresql"'
const accepted = {
  where,
  read: [
    'connection_url',
    'password',
    'table',
    'max_parallel',
    'max_idle_connections',
    'max_connect_retries',
    'ha_enabled',
  ],
  inert: { ha_table: 'nodes meet in the tables of the storage' },
  refused: {
    skip_create_table: 'the program makes its tables and one function, and changes them when it is upgraded',
    upsert_function: 'the program makes its tables and one function, and changes them when it is upgraded',
  },
}

export function readPostgres(block: HclBlock): { storage: PostgresConfig; warnings: string[] } {
  const warnings = checkSettings(block.body, accepted)
  const settings = members(block.body)
  const connectionUrl = textOf(settings['connection_url'])
  if (connectionUrl) checkUrl(connectionUrl, block)
  const table = textOf(settings['table']) ?? 'coffer_rows'
  if (!tableNames(table)) {
    const form = 'letters, digits and _, at most 41, after a schema and a dot or not'
    throw new HclError(`"table" must be a name of ${form}`, settings['table'] ?? block)
  }
  const maxParallel = countOf(settings['max_parallel']) ?? 16
  if (maxParallel < 1) throw new HclError('"max_parallel" must be at least 1', settings['max_parallel'] ?? block)
  if (boolOf(settings['ha_enabled']) === false) {
    warnings.push(`"ha_enabled" in ${where} has no effect: every node is active`)
  }
  const password = textOf(settings['password'])
  return {
    storage: {
      kind: 'postgresql',
      ...(connectionUrl ? { connectionUrl } : {}),
      ...(password ? { password } : {}),
      table,
      maxParallel,
      maxIdle: countOf(settings['max_idle_connections']) ?? maxParallel,
      connectRetries: countOf(settings['max_connect_retries']) ?? 0,
    },
    warnings,
  }
}

function checkUrl(url: string, block: HclBlock): void {
  try {
    parseConnectionUrl(url)
  } catch (error) {
    if (error instanceof ConnectionUrlError) throw new HclError(`${where}: ${error.message}`, block)
    throw error
  }
}

import { type Command, type CommandCall, Failure } from '../../command.ts'
import { line } from '../../output/secret.ts'
import { localStorageOf, type OnProgress } from './local-storage.ts'

const everyMs = 2000
const levels = ['trace', 'debug', 'info', 'warn', 'error']

export const operatorMigrate: Command = {
  name: 'operator migrate',
  summary: 'Copy everything from one storage into another, while no server runs',
  args: '-config=FILE [options]',
  about:
    'FILE has two stanzas, storage_source and storage_destination, written as the storage stanza of a server. Rows are copied as ' +
    'they are, encrypted, and the unseal keys stay the same. The destination must be empty. Afterwards both are read again and ' +
    'compared. All or nothing: what fails or is stopped leaves the destination empty, so a migration is run again, not resumed. ' +
    'Exit status: 0 done, 1 wrong use, 2 not done.',
  examples: [
    { says: 'From one file to PostgreSQL', run: 'operator migrate -config=migrate.hcl' },
    { says: 'After one that was killed: let go of its lock', run: 'operator migrate -config=migrate.hcl -reset' },
  ],
  flags: {
    config: { kind: 'list', about: 'File with the stanzas storage_source and storage_destination.' },
    reset: { kind: 'bool', about: 'Only remove the lock that a killed migration has left in storage_source.' },
    start: { kind: 'text', about: "Vault's; refused, since nothing half done is ever left." },
    'max-parallel': { kind: 'int', about: "Vault's; has no effect, since one transaction copies everything." },
    'log-level': { kind: 'text', about: 'info (default), or warn or error: no lines about how far it is.' },
  },
  takes: { min: 0, max: 0 },
  run: async (call) => {
    const [config, ...more] = call.flags.list('config')
    if (config === undefined || more.length > 0) {
      throw new Failure(1, 'Must specify exactly one config path using -config')
    }
    checkFlags(call)
    const storages = await localStorageOf(call.context)
    const migration = await storages.openMigration(config).catch((cause: unknown) => {
      throw new Failure(1, `Error loading configuration from ${config}: ${reason(cause)}`, { cause })
    })
    for (const warning of migration.warnings) call.context.stderr.write(`WARNING! ${warning}\n`)
    try {
      if (call.flags.on('reset')) {
        await migration.reset()
        line(call, 'Success! Migration lock reset (if it was set).')
        return 0
      }
      const done = await migration.run({ signal: call.context.signal, onProgress: progressOf(call) })
      line(
        call,
        `${done.rows} rows (${mebibytes(done.bytes)}) from ${done.from} to ${done.to}, compared: sha256 ${done.digest}`,
      )
      line(call, 'Success! All of the keys have been migrated.')
      return 0
    } catch (cause) {
      throw new Failure(2, `Error migrating: ${reason(cause)}`, { cause })
    }
  },
}

function checkFlags({ flags, context }: CommandCall): void {
  if (flags.has('start')) {
    throw new Failure(
      1,
      '-start: there is nothing to go on from, a migration that did not end leaves its destination empty: run it again without -start',
    )
  }
  const level = flags.text('log-level')?.toLowerCase() ?? 'info'
  if (!levels.includes(level)) {
    throw new Failure(1, `${level} is an unknown log level. Valid log levels are: ${levels.join(' ')}`)
  }
  const parallel = flags.int('max-parallel')
  if (parallel === undefined) return
  if (parallel < 1) throw new Failure(1, 'Argument to flag -max-parallel must be at least 1')
  context.stderr.write('WARNING! -max-parallel has no effect: one transaction copies everything\n')
}

/** Counts on stderr, now and then; never names of rows. */
function progressOf({ flags, context: { clock, stderr } }: CommandCall): OnProgress {
  if (['warn', 'error'].includes(flags.text('log-level')?.toLowerCase() ?? '')) return () => {}
  let last = clock.monotonic()
  return (what, rows, bytes) => {
    const now = clock.monotonic()
    if (now - last < everyMs) return
    last = now
    stderr.write(`${what} ${rows} rows, ${mebibytes(bytes)}\n`)
  }
}

const mebibytes = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(1)} MiB`

const reason = (cause: unknown) => {
  if (!(cause instanceof Error)) return String(cause)
  const inner = cause.cause instanceof Error ? `: ${cause.cause.message}` : ''
  return `${cause.message}${inner}`
}

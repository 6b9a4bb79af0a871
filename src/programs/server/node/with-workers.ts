/** A server of several processes: what its first one does instead of serving. */
import { availableParallelism } from 'node:os'
import { setting } from '../../../lib/setting.ts'
import { untilAborted } from '../../../lib/until-aborted.ts'
import { clearSocket } from '../../../server/http/unix-socket.ts'
import type { ProgramIo } from '../../program.ts'
import type { ServerFlags } from '../configuration/flags.ts'
import { mostWorkers, parseWorkers } from '../configuration/workers-setting.ts'
import { ConfigurationError, type ConfigurationText, readConfiguration, type ServerConfig } from '../configuration.ts'
import { announceReady } from '../ready.ts'
import { Primary } from '../workers/primary.ts'
import type { ServerLog } from './logger.ts'
import { type LogFile, writePidFile } from './process-files.ts'
import { startReport } from './start-report.ts'

/** 1: everything in one process. COFFER_WORKERS counts more than the configuration. Throws ConfigurationError. */
export function workersOf(config: ServerConfig, env: ProgramIo['env']): number {
  const given = setting(env, 'WORKERS')
  const workers = given ? parseWorkers(given.value) : (config.workers ?? 1)
  if (workers === undefined) {
    throw new ConfigurationError(`${given?.from} is "${given?.value}": it must be 1 to ${mostWorkers}, or "auto"`)
  }
  const count = workers === 'auto' ? Math.min(mostWorkers, availableParallelism()) : workers
  if (count === 1) return 1
  if (config.storage.kind !== 'lmdb') {
    const { kind } = config.storage
    const instead =
      kind === 'postgresql'
        ? 'leave workers out and start several servers on the same database instead, also on one machine'
        : 'leave workers out'
    throw new ConfigurationError(`workers = ${workers} needs storage "lmdb", and this is "${kind}": ${instead}`)
  }
  return count
}

export interface WithWorkersOptions {
  readonly workers: number
  readonly config: ServerConfig
  /** What `config` was read from. */
  readonly texts: readonly ConfigurationText[]
  readonly flags: ServerFlags
  readonly io: ProgramIo
  readonly logs: ServerLog
  readonly logFile: LogFile | undefined
  readonly versions: { readonly vault: string; readonly coffer: string }
}

/** Resolves with the exit status when the server has ended. */
export async function serveWithWorkers(options: WithWorkersOptions): Promise<number> {
  const { workers, config, texts, io, logs, versions } = options
  const log = logs.logger
  for (const warning of config.warnings) log.warn('configuration', { warning })
  const primary = new Primary({
    ...{ workers, texts, logs, stdout: io.stdout },
    readAgain: () => readAgain(options),
    reloadOwn: async (part) => reloadOwn(options, part),
  })
  let removePid = () => {}
  try {
    if (!(await clearSockets(options))) return 1
    const starting = primary.start()
    const addresses = await Promise.race([starting, untilAborted(io.stop)])
    if (addresses) {
      if (config.pidFile) removePid = writePidFile(config.pidFile, process.pid)
      const [address = ''] = addresses
      const bound = addresses.map((one) => ({ address: one }))
      io.stdout.write(startReport(config, { address: config.apiAddr ?? address, bound, versions }))
      io.stdout.write(`==> Vault server started! Log data will stream in below:\n\n`)
      announceReady(io.env, { address })
      log.info('serving', { workers })
      io.onReload(() => {
        primary.reload().catch((error: unknown) => log.error('not reloaded', { error: String(error) }))
      })
      await untilAborted(io.stop)
    }
    log.info('stopping')
    await primary.stop(config.shutdownMs)
    log.info('stopped')
    return addresses || io.stop.aborted ? 0 : 1
  } finally {
    removePid()
    options.logFile?.close()
  }
}

/** Before any process listens: later on what answers there may be this server. */
async function clearSockets({ config, logs }: WithWorkersOptions): Promise<boolean> {
  try {
    for (const { unix } of config.listeners) if (unix) await clearSocket(unix.path)
    return true
  } catch (error) {
    logs.logger.error('not started', { error: error instanceof Error ? error.message : String(error) })
    return false
  }
}

function readAgain({ config, flags }: WithWorkersOptions): ServerConfig | undefined {
  if (flags.configFiles.length === 0) return undefined
  const read = readConfiguration(flags.configFiles)
  return flags.logLevel ? { ...read, logLevel: config.logLevel } : read
}

function reloadOwn(options: WithWorkersOptions, part: string | undefined): void {
  if (part === undefined || part === 'log_level') {
    options.logs.reconfigure((readAgain(options) ?? options.config).logLevel)
  }
  if (part === undefined || part === 'log_file') options.logFile?.reopen()
}

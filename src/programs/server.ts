/** `coffer server`: the secrets server. */
import { hostname } from 'node:os'
import manifest from '../../package.json' with { type: 'json' }
import { type Clock, systemClock } from '../lib/clock.ts'
import type { Logger } from '../lib/log.ts'
import { systemRandom } from '../lib/random.ts'
import { untilAborted } from '../lib/until-aborted.ts'
import { setV8Flags } from '../lib/v8-flags.ts'
import type { StorageBackend } from '../server/contracts/storage.ts'
import type { ConfiguredSeals } from '../server/faces/sys/seal/node-seal.ts'
import type { Listener } from '../server/http/listener.ts'
import { defaultMinFreeBytes } from '../server/storage/lmdb/volume.ts'
import { measureStorage } from '../server/telemetry/measured-storage.ts'
import { measureRuntime, type RuntimeMetrics } from '../server/telemetry/runtime.ts'
import { auditDevices, engines, outbound, plugins } from './engines.ts'
import type { Program, ProgramIo } from './program.ts'
import { parseServerFlags, type ServerFlags, UsageError, usage } from './server/configuration/flags.ts'
import { sanitizedConfig } from './server/configuration/sanitized.ts'
import {
  ConfigurationError,
  type ConfigurationText,
  configurationOf,
  readConfiguration,
  readTexts,
  type ServerConfig,
} from './server/configuration.ts'
import { type Core, createCore } from './server/core.ts'
import { type DevCertificates, makeDevCertificates } from './server/node/dev-certificates.ts'
import { type DevFlags, type DevSecrets, devConfig, printDev, startDev, storeToken } from './server/node/dev-mode.ts'
import type { ServerLog } from './server/node/logger.ts'
import { openListener } from './server/node/open-listener.ts'
import { openLogs } from './server/node/open-logs.ts'
import { type NodeOperations, nodeOperations } from './server/node/operations.ts'
import { type LogFile, writePidFile } from './server/node/process-files.ts'
import { Reloads } from './server/node/reloads.ts'
import { startReport, verifyOnly } from './server/node/start-report.ts'
import { serveWithWorkers, workersOf } from './server/node/with-workers.ts'
import { announceReady } from './server/ready.ts'
import { startSeal } from './server/seal/first-start.ts'
import { openSeals } from './server/seal/open-seals.ts'
import { planSnapshots } from './server/snapshots/snapshot-plan.ts'
import { flushed } from './server/stop/flushed.ts'
import { endInTime } from './server/stop/stop-deadline.ts'
import { checkStorage, openStorage } from './server/storage.ts'
import { type Seat, takeSeat } from './server/workers/seat.ts'

/** What health and seal-status say: clients gate features on it. */
const vaultVersion = '2.6.0'

export const program: Program = {
  run: async (args, io) => {
    if (args[0] === 'check-storage') return runCheck(args[1], io)
    try {
      const flags = parseServerFlags(args, io.env)
      if (flags.help) {
        io.stdout.write(usage)
        return 0
      }
      const seat = await takeSeat()
      if (seat) {
        const status = await serveAsOneOf(seat, flags, io)
        await flushed([io.stderr], systemClock)
        return process.exit(status)
      }
      const certificates = await certificatesOf(flags.dev)
      const texts = flags.configFiles.length > 0 ? readTexts(flags.configFiles) : []
      const config = configOf(flags, certificates, texts)
      const workers = workersOf(config, io.env)
      if (flags.verifyOnly) return verifyOnly(config, io.stdout, versions)
      const status =
        workers > 1
          ? await serveWithWorkers({ workers, config, texts, flags, io, ...openLogs(config, io), versions })
          : await new Server({ flags, config, certificates, io }).run()
      // A connection to elsewhere that is kept open, or anything else that was forgotten, does not keep a server that has ended.
      if (io.exit) await flushed([io.stdout, io.stderr], systemClock)
      return io.exit?.(status) ?? status
    } catch (error) {
      if (!(error instanceof UsageError) && !(error instanceof ConfigurationError)) throw error
      io.stderr.write(`${error.message}\n`)
      return 1
    }
  },
}

function certificatesOf(dev: DevFlags | undefined): Promise<DevCertificates> | undefined {
  if (dev?.tlsDirectory === undefined) return undefined
  const { tlsDirectory: directory, host } = dev
  return makeDevCertificates({ directory, host, now: systemClock.now(), random: systemRandom })
}

/** Where the primary's configuration counts, not what the files say meanwhile. */
function serveAsOneOf(seat: Seat, flags: ServerFlags, io: ProgramIo): Promise<number> {
  const config = { ...configOf(flags, undefined, seat.facts.texts), ...seat.facts.readAgain }
  return new Server({ flags, config, io: seat.ioOf(io), seat }).run()
}

function configOf(
  flags: ServerFlags,
  certificates: DevCertificates | undefined,
  texts: readonly ConfigurationText[],
): ServerConfig {
  const { dev } = flags
  if (!dev && texts.length === 0) {
    throw new UsageError(`Must specify at least one config path using -config, or -dev\n\n${usage}`)
  }
  const read = texts.length > 0 ? configurationOf(texts) : undefined
  const config = dev ? devConfig(dev, certificates, read) : read
  if (!config || config.listeners.length === 0) {
    throw new ConfigurationError('the configuration has no listener: listener "tcp" { … }')
  }
  return {
    ...config,
    ...(flags.logLevel ? { logLevel: flags.logLevel } : {}),
    ...(flags.logFormat ? { logFormat: flags.logFormat } : {}),
    ...(flags.logFile ? { logFile: flags.logFile } : {}),
  }
}

const versions = { vault: vaultVersion, coffer: manifest.version }

async function runCheck(file: string | undefined, io: ProgramIo): Promise<number> {
  if (!file) return 2
  try {
    io.stdout.write(`${await checkStorage(file)} rows\n`)
    return 0
  } catch (error) {
    // The server that asked looks for this line.
    io.stderr.write(`Error: ${error instanceof Error ? error.message : 'the check failed'}\n`)
    return 1
  }
}

interface ServerOptions {
  readonly flags: ServerFlags
  readonly config: ServerConfig
  readonly certificates?: DevCertificates | undefined
  readonly io: ProgramIo
  /** This process is one of several of the server. */
  readonly seat?: Seat
}

/** One run, from storage to the last connection. */
class Server {
  readonly #options: ServerOptions
  readonly #logFile: LogFile | undefined
  readonly #logs: ServerLog
  readonly #log: Logger
  readonly #clock: Clock = systemClock
  readonly #listeners: Listener[] = []
  readonly #reloads: Reloads
  readonly #operations: NodeOperations
  /** What the seals do beside the server ends with it, also where it did not start. */
  readonly #over = new AbortController()
  #runtime: RuntimeMetrics | undefined

  constructor(options: ServerOptions) {
    const { config, flags, io, seat } = options
    this.#options = options
    const { logs, logFile } = openLogs(config, io)
    this.#logs = logs
    this.#logFile = logFile
    this.#log = seat ? logs.logger.with({ worker: seat.facts.number }) : logs.logger
    this.#reloads = new Reloads({
      config,
      readAgain: () => (flags.configFiles.length > 0 ? readConfiguration(flags.configFiles) : undefined),
      levelIsFixed: flags.logLevel !== undefined,
      listeners: this.#listeners,
      logs: this.#logs,
      logFile: this.#logFile,
      log: this.#log,
    })
    this.#operations = nodeOperations({
      clock: this.#clock,
      logs: seat ? seat.logs(this.#logs) : this.#logs,
      ...(seat ? { nodeWide: seat.nodeWide } : {}),
      plugins,
      metricsPrefix: config.telemetry.prefix,
      usagePeriodMs: config.telemetry.usagePeriodMs,
      serverState: {
        sanitized: () => sanitizedConfig(config),
        reloads: seat ? seat.reloads(this.#reloads) : this.#reloads.parts,
      },
      configuredHeader: (name) => isConfigured(config, name),
      sourceFailed: (error) => this.#log.warn('a metric could not be counted', { error: reason(error) }),
    })
  }

  async run(): Promise<number> {
    const { config, certificates, io, seat } = this.#options
    setV8Flags()
    if (!seat) for (const warning of config.warnings) this.#log.warn('configuration', { warning })
    let removePid = () => {}
    const callOff = endInTime({ io, shutdownMs: config.shutdownMs, clock: this.#clock, log: this.#log })
    try {
      const seals = this.#openSeals()
      const backend = seals && (await this.#openStorage())
      if (!seals || !backend) return 1
      this.#runtime = measureRuntime(this.#operations.telemetry)
      const core = this.#createCore(backend, seals)
      if (!(await (seat ? this.#startAsOneOf(seat, core, backend) : this.#start(core)))) {
        await this.#stop(core, backend)
        return 1
      }
      if (config.pidFile && !seat) removePid = writePidFile(config.pidFile, process.pid)
      await this.#serve(core, backend)
      return 0
    } finally {
      callOff()
      this.#over.abort(new Error('the server has ended'))
      removePid()
      this.#runtime?.close()
      certificates?.remove()
      this.#logFile?.close()
    }
  }

  #openSeals(): ConfiguredSeals | undefined {
    const { config, io, seat } = this.#options
    const log = this.#log.with({ logger: 'seal' })
    const signal = AbortSignal.any([io.stop, this.#over.signal])
    // Of several processes one renews the seal's token and watches over the seal; all of them use it.
    const watches = seat?.leads ?? true
    const parts = { env: io.env, clock: this.#clock, random: systemRandom, log, signal, watches }
    try {
      return openSeals(config.seals ?? {}, parts)
    } catch (error) {
      log.error('seal not opened', { error: reason(error) })
      return undefined
    }
  }

  async #openStorage(): Promise<StorageBackend | undefined> {
    const { clock, log } = { clock: this.#clock, log: this.#log.with({ logger: 'storage' }) }
    try {
      const { config, seat, io } = this.#options
      const parts = { clock, random: systemRandom, log, env: io.env }
      const backend = await openStorage(config.storage, { ...parts, ...(seat ? { seat } : {}) })
      await seat?.storageOpen()
      return measureStorage(backend, this.#operations.telemetry, clock)
    } catch (error) {
      this.#log.error('storage not opened', { error: reason(error) })
      return undefined
    }
  }

  #createCore(backend: StorageBackend, seals: ConfiguredSeals): Core {
    const { config, flags, io, seat } = this.#options
    return createCore({
      ...(seat ? { group: seat } : {}),
      backend,
      types: engines,
      auditDevices: auditDevices({
        directories: config.auditDirectories,
        destinations: config.auditDestinations ?? [],
        declared: () => this.#reloads.declaredAudit,
        stdout: io.stdout,
      }),
      declaredAudit: () => this.#reloads.declaredAudit,
      outbound: outbound({
        allow: config.outboundAllow,
        own: () => this.#listeners.flatMap(({ address }) => /^https?:\/\/(.*)$/.exec(address)?.[1] ?? []),
      }),
      ttl: { defaultTtlMs: config.defaultTtlMs, maxTtlMs: config.maxTtlMs },
      clock: this.#clock,
      random: systemRandom,
      log: this.#log,
      version: versions.vault,
      cofferVersion: versions.coffer,
      node: hostname(),
      apiAddress: () =>
        config.apiAddr ?? this.#listeners.find(({ address }) => /^https?:/.test(address))?.address ?? '',
      operations: this.#operations,
      ...spoolPlaceOf(config.storage),
      ...(config.snapshots ? { snapshots: planSnapshots(config.snapshots, this.#options.io.env) } : {}),
      seals,
      userLockout: { stanzas: config.userLockout ?? {}, disabled: flags.userLockoutDisabled ?? false },
      unauthenticatedRekey: () => !config.listeners.some(({ disableUnauthedRekey }) => disableUnauthedRekey),
    })
  }

  async #start(core: Core): Promise<boolean> {
    const { config, flags, certificates, io } = this.#options
    let secrets: DevSecrets | undefined
    try {
      // Before anyone can call: a development server must not be initialised by someone else.
      if (flags.dev && !flags.dev.skipInit) secrets = await startDev(core, flags.dev)
      await this.#startSeal(core)
      await this.#listen(core)
    } catch (error) {
      this.#log.error('not started', { error: reason(error) })
      return false
    }
    const address = this.#listeners[0]?.address ?? ''
    io.stdout.write(startReport(config, { address: config.apiAddr ?? address, bound: this.#listeners, versions }))
    io.stdout.write(`==> Vault server started! Log data will stream in below:\n\n`)
    if (flags.dev) {
      if (secrets && flags.dev.storeToken) storeToken(io, secrets.rootToken)
      printDev(io, address, secrets, certificates)
    }
    announceReady(io.env, { address })
    return true
  }

  /** The housekeeper opens the server and serves nobody; a worker serves when it is as open as the others. */
  async #startAsOneOf(seat: Seat, core: Core, backend: StorageBackend): Promise<boolean> {
    this.#reloads.core = core
    try {
      await seat.join({ core, operations: this.#operations, reloads: this.#reloads }, backend)
      if (!seat.leads) await this.#listen(core)
      else if (!seat.facts.staySealed) await this.#startSeal(core)
      await seat.ready(this.#listeners.map(({ address }) => address))
      return true
    } catch (error) {
      this.#log.error('not started', { error: reason(error) })
      return false
    }
  }

  #startSeal(core: Core): Promise<void> {
    const { config, io } = this.#options
    return startSeal({
      seal: core.seal,
      handler: core.handler,
      requests: config.initialize ?? [],
      node: hostname(),
      env: io.env,
      clock: this.#clock,
      log: this.#log.with({ logger: 'seal' }),
      signal: io.stop,
    })
  }

  async #listen(core: Core): Promise<void> {
    const { config } = this.#options
    const headers = config.hostnameHeader ? { 'X-Vault-Hostname': hostname() } : undefined
    for (const listener of config.listeners) {
      const shared = this.#options.seat !== undefined
      const parts = { handler: core.handler, cors: () => core.cors, operations: this.#operations, shared }
      this.#listeners.push(await openListener(listener, { ...parts, ...(headers ? { headers } : {}) }))
    }
    for (const { address } of this.#listeners) this.#log.info('listening', { address })
  }

  async #serve(core: Core, backend: StorageBackend): Promise<void> {
    const { io } = this.#options
    this.#reloads.core = core
    io.onReload(() => void this.#reloads.all())
    await untilAborted(io.stop)
    this.#log.info('stopping', { reason: reason(io.stop.reason) })
    await this.#stop(core, backend)
    this.#log.info('stopped')
  }

  /** Health says 503, no new connections, what is under way ends or is cut, keys and storage are closed in this order. */
  async #stop(core: Core, backend: StorageBackend): Promise<void> {
    core.stop()
    const grace = new AbortController()
    const cut = this.#clock.sleep(this.#options.config.shutdownMs, grace.signal).catch(() => undefined)
    await Promise.all(
      this.#listeners.map((listener) => listener.close(async (closed) => void (await Promise.race([closed, cut])))),
    )
    grace.abort(new Error('stopped'))
    try {
      await core.close(1000)
    } catch (error) {
      this.#log.error('close failed', { error: reason(error) })
    }
    await backend.close()
  }
}

/** Beside an LMDB file there is room, and a volume whose free space is watched anyway. */
const spoolPlaceOf = (storage: ServerConfig['storage']) =>
  storage.kind === 'lmdb'
    ? { spoolPlace: { folder: storage.path, minFreeBytes: storage.minFreeBytes ?? defaultMinFreeBytes } }
    : {}

const isConfigured = ({ listeners }: ServerConfig, name: string) =>
  listeners.some(({ customHeaders = {} }) =>
    Object.values(customHeaders).some((headers) =>
      Object.keys(headers).some((header) => header.toLowerCase() === name.toLowerCase()),
    ),
  )

const reason = (error: unknown) => {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : ''
  return `${error.message}${cause}`
}

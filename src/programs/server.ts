/** `coffer server`: the secrets server. */
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { setFlagsFromString } from 'node:v8'
import manifest from '../../package.json' with { type: 'json' }
import { type Clock, systemClock } from '../lib/clock.ts'
import type { Logger } from '../lib/log.ts'
import { systemRandom } from '../lib/random.ts'
import type { StorageBackend } from '../server/contracts/storage.ts'
import { type Listener, listen } from '../server/http/listener.ts'
import { auditDevices, engines, outbound } from './engines.ts'
import type { Program, ProgramIo } from './program.ts'
import {
  ConfigurationError,
  type ListenerConfig,
  readConfiguration,
  type ServerConfig,
} from './server/configuration.ts'
import { type Core, createCore } from './server/core.ts'
import { type DevFlags, type DevSecrets, devConfig, printDev, startDev, storeToken } from './server/dev-mode.ts'
import { parseServerFlags, type ServerFlags, UsageError, usage } from './server/flags.ts'
import { createLogger } from './server/logger.ts'
import { announceReady } from './server/ready.ts'
import { checkStorage, openStorage } from './server/storage.ts'

/** What health and seal-status say: clients gate features on it. */
const vaultVersion = '2.6.0'

export const program: Program = {
  run: async (args, io) => {
    if (args[0] === 'check-storage') return runCheck(args[1], io)
    let flags: ServerFlags
    let config: ServerConfig
    try {
      flags = parseServerFlags(args, io.env)
      if (flags.help) {
        io.stdout.write(usage)
        return 0
      }
      config = configOf(flags)
    } catch (error) {
      if (!(error instanceof UsageError) && !(error instanceof ConfigurationError)) throw error
      io.stderr.write(`${error.message}\n`)
      return 1
    }
    return runServer(config, flags.dev, io)
  },
}

function configOf(flags: ServerFlags): ServerConfig {
  const [file] = flags.configFiles
  if (flags.configFiles.length > 1) throw new UsageError('-config can be given once')
  if (flags.dev && file) throw new UsageError('-dev takes no -config')
  if (!flags.dev && !file) throw new UsageError(`Must specify a configuration file with -config, or -dev\n\n${usage}`)
  const config = flags.dev ? devConfig(flags.dev) : readConfiguration(file ?? '')
  if (config.listeners.length === 0)
    throw new ConfigurationError('the configuration has no listener: listener "tcp" { … }')
  return flags.logLevel ? { ...config, logLevel: flags.logLevel } : config
}

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

async function runServer(config: ServerConfig, dev: DevFlags | undefined, io: ProgramIo): Promise<number> {
  // Left alone, V8 lets the old space grow to four times what lives before it collects: 105 MB under writes, with this 75.
  setFlagsFromString('--heap-growing-percent=100')
  const clock = systemClock
  const write = (line: string) => void io.stderr.write(line)
  const log = createLogger({ level: config.logLevel, name: 'server', write })
  let backend: StorageBackend
  try {
    backend = await openStorage(config.storage, { clock, random: systemRandom, log })
  } catch (error) {
    log.error('storage not opened', { error: reason(error) })
    return 1
  }
  const listeners: Listener[] = []
  const core = createCore({
    backend,
    types: engines,
    auditDevices: auditDevices({ directories: config.auditDirectories, stdout: io.stdout }),
    outbound: outbound({
      allow: config.outboundAllow,
      own: () => listeners.map(({ address }) => address.replace(/^https?:\/\//, '')),
    }),
    ttl: { defaultTtlMs: config.defaultTtlMs, maxTtlMs: config.maxTtlMs },
    clock,
    random: systemRandom,
    log,
    version: vaultVersion,
    cofferVersion: manifest.version,
    node: hostname(),
  })
  let secrets: DevSecrets | undefined
  try {
    // Before anyone can call: a development server must not be initialised by someone else.
    if (dev) secrets = await startDev(core, dev)
    for (const listener of config.listeners) listeners.push(await openListener(core, listener))
  } catch (error) {
    log.error('not started', { error: reason(error) })
    await stop({ core, backend, listeners, config, clock, log })
    return 1
  }
  const address = listeners[0]?.address ?? ''
  for (const listener of listeners) log.info('listening', { address: listener.address })
  if (dev && secrets) announceDev(dev, secrets, address, io)
  else io.stdout.write(`==> Coffer server started! Log data will stream in below:\n\n`)
  io.onReload(() => reload(core, config, listeners, log))
  announceReady(io.env, { address })
  await stopped(io.stop)
  log.info('stopping', { reason: reason(io.stop.reason) })
  await stop({ core, backend, listeners, config, clock, log })
  log.info('stopped')
  return 0
}

function announceDev(dev: DevFlags, secrets: DevSecrets, address: string, io: ProgramIo): void {
  if (dev.storeToken) storeToken(io, secrets.rootToken)
  io.stdout.write(`==> Coffer server configuration:

             Api Address: ${address}
              Listener 1: tcp (addr: "${address.replace(/^https?:\/\//, '')}", tls: "disabled")
                 Storage: inmem
                 Version: Coffer v${manifest.version}, Vault API ${vaultVersion}

==> Coffer server started! Log data will stream in below:

`)
  printDev(io, address, secrets)
}

function openListener(core: Core, { host, port, tls }: ListenerConfig): Promise<Listener> {
  return listen({ handler: core.handler, host, port, ...(tls ? { tls: readTls(tls) } : {}) })
}

const readTls = (tls: NonNullable<ListenerConfig['tls']>) => ({
  cert: readFileSync(tls.certFile, 'utf8'),
  key: readFileSync(tls.keyFile, 'utf8'),
})

/** SIGHUP: certificates are read again, audit files reopened. */
function reload(core: Core, config: ServerConfig, listeners: readonly Listener[], log: Logger): void {
  config.listeners.forEach(({ tls }, i) => {
    try {
      if (tls) listeners[i]?.setTls(readTls(tls))
    } catch (error) {
      log.error('certificate not reloaded', { error: reason(error) })
    }
  })
  core.broker.reopen().then(
    () => log.info('reloaded'),
    (error: unknown) => log.error('audit not reopened', { error: reason(error) }),
  )
}

const stopped = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })

interface Running {
  readonly core: Core
  readonly backend: StorageBackend
  readonly listeners: readonly Listener[]
  readonly config: ServerConfig
  readonly clock: Clock
  readonly log: Logger
}

/** Health says 503, no new connections, what is under way ends or is cut, keys and storage are closed in this order. */
async function stop({ core, backend, listeners, config, clock, log }: Running): Promise<void> {
  core.stop()
  const grace = new AbortController()
  const cut = clock.sleep(config.shutdownMs, grace.signal).catch(() => undefined)
  await Promise.all(
    listeners.map((listener) => listener.close(async (closed) => void (await Promise.race([closed, cut])))),
  )
  grace.abort(new Error('stopped'))
  try {
    await core.close(1000)
  } catch (error) {
    log.error('close failed', { error: reason(error) })
  }
  await backend.close()
}

const reason = (error: unknown) => {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : ''
  return `${error.message}${cause}`
}

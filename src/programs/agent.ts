import { readdir, readFile, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { runAgent } from '../agent/agent.ts'
import type { AgentConfig, ServerConfig } from '../agent/config/agent-config.ts'
import { type ConfigFile, type ConfigFlags, readConfig } from '../agent/config/read-config.ts'
import { ConfigError } from '../agent/config/section.ts'
import { AgentFailure } from '../agent/failure.ts'
import { type AgentLog, createLog } from '../agent/log.ts'
import { systemClock } from '../lib/clock.ts'
import { systemRandom } from '../lib/random.ts'
import { createNodeTransport, type NodeTransportOptions } from '../sdk/node-transport.ts'
import { TransportError } from '../sdk/transport.ts'
import { createSocketConnector } from '../sdk/web-socket.ts'
import type { Program, ProgramIo } from './program.ts'

const usage = `Usage: coffer agent -config=FILE [-config=FILE|FOLDER …] [-exit-after-auth] [-log-level=LEVEL] [-log-format=standard|json]

  Logs in by the configured method, writes the token to its sinks, renders the templates and keeps both fresh.
  Configuration: Vault Agent's, HCL or JSON. Status: GET /agent/v1/status on agent.sock beside the pid file.
`

/** `coffer agent` and `vault agent`. Log lines go to standard error, as Vault's do. */
export const program: Program = {
  async run(args, io) {
    try {
      const given = readArguments(args)
      if (given === 'help') {
        io.stdout.write(usage)
        return 0
      }
      return await start(given, io)
    } catch (error) {
      if (!(error instanceof ConfigError) && !(error instanceof AgentFailure) && !(error instanceof TransportError))
        throw error
      io.stderr.write(`Error: ${error.message}\n`)
      return 1
    }
  },
}

interface Given {
  readonly paths: readonly string[]
  readonly flags: ConfigFlags
}

function readArguments(args: readonly string[]): Given | 'help' {
  const paths: string[] = []
  const flags: { exitAfterAuth?: boolean; logLevel?: string; logFormat?: string } = {}
  const rest = [...args]
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    const [, name, value] = /^--?([a-z-]+)(?:=(.*))?$/s.exec(arg) ?? []
    if (name === 'help' || name === 'h') return 'help'
    const text = () => value ?? rest.shift() ?? missing(arg)
    if (name === 'config') paths.push(text())
    else if (name === 'log-level') flags.logLevel = text()
    else if (name === 'log-format') flags.logFormat = text()
    else if (name === 'exit-after-auth') flags.exitAfterAuth = value !== 'false'
    else
      throw new ConfigError(
        `unknown argument ${arg.split('=')[0]}; accepted: -config, -exit-after-auth, -log-level, -log-format`,
      )
  }
  if (paths.length === 0) throw new ConfigError('-config is missing: the file that says what to do')
  return { paths, flags }
}

function missing(arg: string): never {
  throw new ConfigError(`${arg} needs a value`)
}

async function start(given: Given, io: ProgramIo): Promise<number> {
  const load = async () => readConfig(await readFiles(given.paths, io.cwd), io.env, given.flags)
  const config = await load()
  const connection = await connectionOf(config.server)
  const log = createLog({
    level: config.logLevel,
    format: config.logFormat,
    clock: systemClock,
    write: (line) => io.stderr.write(line),
  })
  io.onReload(() => reload(load, log))
  io.stdout.write('==> Vault Agent started! Log data will stream in below:\n\n')
  const transport = createNodeTransport(connection)
  try {
    await runAgent(
      {
        config,
        env: io.env,
        clock: systemClock,
        random: systemRandom,
        log,
        transport,
        connect: createSocketConnector({ ...connection, clock: systemClock }),
      },
      io.stop,
    )
    if (io.stop.aborted) io.stdout.write('==> Vault Agent shutdown triggered\n')
    return 0
  } catch (error) {
    if (!(error instanceof AgentFailure)) throw error
    log.error(error.message)
    return 1
  } finally {
    await transport.close?.()
  }
}

/** SIGHUP: the log level of the files as they are now. */
function reload(load: () => Promise<AgentConfig>, log: AgentLog) {
  load().then(
    (config) => {
      log.setLevel(config.logLevel)
      log.info('configuration read again: the log level counts from now on')
    },
    (error: unknown) =>
      log.error('configuration not read again', { error: error instanceof Error ? error.message : '' }),
  )
}

/** Folders give their .hcl and .json files in the order of their names. */
async function readFiles(paths: readonly string[], cwd: string): Promise<ConfigFile[]> {
  const files: ConfigFile[] = []
  for (const given of paths) {
    const path = resolve(cwd, given)
    try {
      const names = (await stat(path)).isDirectory() ? (await readdir(path)).sort() : undefined
      const found = names?.filter((name) => /\.(hcl|json)$/.test(name)).map((name) => join(path, name)) ?? [path]
      for (const one of found) files.push({ path: one, text: await readFile(one, 'utf8') })
    } catch (cause) {
      throw new ConfigError(`cannot read the configuration ${given}`, { cause })
    }
  }
  return files
}

async function connectionOf(server: ServerConfig): Promise<NodeTransportOptions> {
  const ca = await authorities(server)
  const clientCert = server.clientCert && (await pem(server.clientCert))
  const clientKey = server.clientKey && (await pem(server.clientKey))
  return {
    address: server.address,
    skipVerify: server.skipVerify,
    timeoutMs: server.timeoutMs,
    ...(ca ? { caCertPem: ca } : {}),
    ...(clientCert ? { clientCert } : {}),
    ...(clientKey ? { clientKey } : {}),
    ...(server.tlsServerName ? { tlsServerName: server.tlsServerName } : {}),
  }
}

async function authorities(server: ServerConfig): Promise<string | undefined> {
  if (server.caCertBytes) return server.caCertBytes
  if (server.caCert) return pem(server.caCert)
  if (!server.caPath) return undefined
  const { caPath } = server
  const names = await readdir(caPath).catch((cause: unknown) => {
    throw new ConfigError(`cannot read the certificates in ${caPath}`, { cause })
  })
  const texts = await Promise.all(names.filter((n) => !n.startsWith('.')).map((name) => pem(join(caPath, name))))
  return texts.join('\n')
}

async function pem(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw new ConfigError(`cannot read the certificate file ${path}`, { cause })
  }
}

/** `coffer server`'s arguments: Vault's, with one dash or two, `-name=value` or `-name value`. */
import { type LogLevel, parseAddress } from './configuration.ts'

export interface ServerFlags {
  readonly configFiles: readonly string[]
  readonly logLevel?: LogLevel
  /** Present: a development server. */
  readonly dev?: {
    readonly rootToken?: string
    readonly host: string
    readonly port: number
    readonly storeToken: boolean
  }
  readonly help: boolean
}

export class UsageError extends Error {
  override name = 'UsageError'
}

const switches = new Set(['dev', 'dev-no-store-token', 'help', 'h'])
const valued = new Set(['config', 'log-level', 'dev-root-token-id', 'dev-listen-address'])

export const usage = `Usage: coffer server [options]

  -config=<file>                  HCL or JSON; see docs/reference/server.md
  -log-level=<level>              debug, info, warn or error
  -dev                            development: in memory, unsealed, with secret/ as KV v2; nothing is kept
  -dev-root-token-id=<token>      the root token of -dev
  -dev-listen-address=<address>   127.0.0.1:8200 if not said; port 0 is any free one
  -dev-no-store-token             do not write the root token to ~/.vault-token
`

export function parseServerFlags(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): ServerFlags {
  const given = new Map<string, string[]>()
  for (let i = 0; i < args.length; i += 1) {
    const match = /^--?([a-z][a-z-]*)(?:=(.*))?$/s.exec(args[i] ?? '')
    if (!match) throw new UsageError(`unexpected argument "${args[i]}"`)
    const [, name = '', inline] = match
    if (!switches.has(name) && !valued.has(name)) {
      throw new UsageError(
        `unknown flag -${name}; accepted are ${[...valued, ...switches].map((n) => `-${n}`).join(', ')}`,
      )
    }
    let value = inline ?? 'true'
    if (valued.has(name) && inline === undefined) {
      i += 1
      const next = args[i]
      if (next === undefined) throw new UsageError(`flag -${name} needs a value`)
      value = next
    }
    given.set(name, [...(given.get(name) ?? []), value])
  }
  const last = (name: string) => given.get(name)?.at(-1)
  const on = (name: string) => isOn(last(name), name)
  const dev = on('dev') || given.has('dev-root-token-id') || given.has('dev-listen-address')
  const level = last('log-level')
  return {
    configFiles: given.get('config') ?? [],
    ...(level === undefined ? {} : { logLevel: readLevel(level) }),
    ...(dev ? { dev: readDev(last, on, env) } : {}),
    help: on('help') || on('h'),
  }
}

function isOn(value: string | undefined, name: string): boolean {
  if (value === undefined || value === 'false') return false
  if (value === 'true') return true
  throw new UsageError(`flag -${name} is a switch`)
}

function readDev(
  last: (name: string) => string | undefined,
  on: (name: string) => boolean,
  env: Readonly<Record<string, string | undefined>>,
): NonNullable<ServerFlags['dev']> {
  const variable = (name: string) => env[`COFFER_${name}`] ?? env[`VAULT_${name}`] ?? env[`BAO_${name}`]
  const text = last('dev-listen-address') ?? variable('DEV_LISTEN_ADDRESS') ?? '127.0.0.1:8200'
  const address = parseAddress(text)
  if (!address) throw new UsageError(`-dev-listen-address: "${text}" is not of the form host:port`)
  const rootToken = last('dev-root-token-id') ?? variable('DEV_ROOT_TOKEN_ID')
  return { ...address, ...(rootToken ? { rootToken } : {}), storeToken: !on('dev-no-store-token') }
}

function readLevel(text: string): LogLevel {
  if (text === 'debug' || text === 'info' || text === 'warn' || text === 'error') return text
  if (text === 'trace') return 'debug'
  throw new UsageError(`-log-level: "${text}" is not one of debug, info, warn, error`)
}

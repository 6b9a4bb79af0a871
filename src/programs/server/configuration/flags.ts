/** `coffer server`'s arguments: Vault's, with one dash or two, `-name=value` or `-name value`. */
import { parseGoBool } from '../../../lib/go-bool.ts'
import { type LogLevel, parseLogLevel } from '../../../server/telemetry/log-control.ts'
import type { LogFormat } from '../configuration.ts'
import { parseAddress } from './listener-stanza.ts'

export interface ServerFlags {
  readonly configFiles: readonly string[]
  readonly logLevel?: LogLevel
  readonly logFormat?: LogFormat
  readonly logFile?: string
  /** Only look at the configuration. */
  readonly verifyOnly: boolean
  /** Present: a development server. */
  readonly dev?: {
    readonly rootToken?: string
    readonly host: string
    readonly port: number
    readonly storeToken: boolean
    /** Of secret/; 2 unless it is said. */
    readonly kvVersion?: '1'
    /** The folder for certificate, key and CA; '' for one of its own that goes when the server ends. */
    readonly tlsDirectory?: string
    /** Left uninitialised and sealed. */
    readonly skipInit?: true
  }
  /** From the environment: nobody is locked out. */
  readonly userLockoutDisabled?: true
  readonly help: boolean
}

export class UsageError extends Error {
  override name = 'UsageError'
}

const switches = new Set([
  'dev',
  'dev-tls',
  'dev-no-store-token',
  'dev-kv-v1',
  'dev-skip-init',
  'test-verify-only',
  'help',
  'h',
])
const valued = new Set([
  'config',
  'log-level',
  'log-format',
  'log-file',
  'dev-root-token-id',
  'dev-listen-address',
  'dev-tls-cert-dir',
])
/** Vault's, which mean nothing here. */
const unsupported: Readonly<Record<string, string>> = {
  recovery: 'there is no recovery mode: coffer server check-storage looks at a storage file',
  'dev-ha': 'every server is active: start several over one storage "lmdb"',
  'dev-three-node': 'every server is active: start several over one storage "lmdb"',
  'dev-plugin-dir': 'this server runs only the engines that it was built with',
  'dev-plugin-init': 'this server runs only the engines that it was built with',
  'exit-on-core-shutdown': 'the process ends when the server does',
}

export const usage = `Usage: coffer server [options]

  -config=<path>                  HCL or JSON, or a folder of such files; may be repeated; see docs/reference/server.md
  -log-level=<level>              trace (the same as debug), debug, info, warn or error
  -log-format=<format>            coffer (JSON), or Vault's: standard or json
  -log-file=<path>                the log goes there as well as to standard error
  -test-verify-only               read the configuration, say what is wrong with it, and end
  -dev                            development: in memory, unsealed, with secret/ as KV v2; nothing is kept
  -dev-root-token-id=<token>      the root token of -dev
  -dev-listen-address=<address>   127.0.0.1:8200 if not said; port 0 is any free one
  -dev-no-store-token             do not write the root token to ~/.vault-token
  -dev-tls                        development with TLS; certificates are made for it
  -dev-tls-cert-dir=<folder>      where -dev-tls keeps vault-ca.pem, vault-cert.pem and vault-key.pem
  -dev-kv-v1                      secret/ as KV v1
  -dev-skip-init                  leave the development server uninitialised
`

export function parseServerFlags(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): ServerFlags {
  const given = collect(args)
  const last = (name: string) => given.get(name)?.at(-1)
  const on = (name: string) => isOn(last(name), name)
  const dev =
    on('dev') || on('dev-tls') || on('dev-kv-v1') || given.has('dev-root-token-id') || given.has('dev-listen-address')
  const variable = (name: string) => env[`COFFER_${name}`] ?? env[`VAULT_${name}`] ?? env[`BAO_${name}`]
  const level = last('log-level') ?? variable('LOG_LEVEL')
  const format = last('log-format') ?? variable('LOG_FORMAT')
  const file = last('log-file')
  return {
    configFiles: given.get('config') ?? [],
    ...(level ? { logLevel: readLevel(level) } : {}),
    ...(format ? { logFormat: readFormat(format) } : {}),
    ...(file ? { logFile: file } : {}),
    verifyOnly: on('test-verify-only'),
    ...(dev ? { dev: readDev(last, on, variable) } : {}),
    ...(isSet(variable('DISABLE_USER_LOCKOUT'), 'DISABLE_USER_LOCKOUT') ? { userLockoutDisabled: true as const } : {}),
    help: on('help') || on('h'),
  }
}

function collect(args: readonly string[]): Map<string, string[]> {
  const given = new Map<string, string[]>()
  for (let i = 0; i < args.length; i += 1) {
    const match = /^--?([a-z][a-z0-9-]*)(?:=(.*))?$/s.exec(args[i] ?? '')
    if (!match) throw new UsageError(`unexpected argument "${args[i]}"`)
    const [, name = '', inline] = match
    if (!switches.has(name) && !valued.has(name)) throw new UsageError(unknownFlag(name))
    let value = inline ?? 'true'
    if (valued.has(name) && inline === undefined) {
      i += 1
      const next = args[i]
      if (next === undefined) throw new UsageError(`flag -${name} needs a value`)
      value = next
    }
    given.set(name, [...(given.get(name) ?? []), value])
  }
  return given
}

function unknownFlag(name: string): string {
  if (Object.hasOwn(unsupported, name)) return `flag -${name} is not supported: ${unsupported[name]}`
  return `unknown flag -${name}; accepted are ${[...valued, ...switches].map((n) => `-${n}`).join(', ')}`
}

function isOn(value: string | undefined, name: string): boolean {
  if (value === undefined || value === 'false') return false
  if (value === 'true') return true
  throw new UsageError(`flag -${name} is a switch`)
}

function isSet(text: string | undefined, name: string): boolean {
  if (text === undefined || text === '') return false
  const value = parseGoBool(text)
  if (value === undefined) throw new UsageError(`VAULT_${name}: "${text}" is neither true nor false`)
  return value
}

function readDev(
  last: (name: string) => string | undefined,
  on: (name: string) => boolean,
  variable: (name: string) => string | undefined,
): NonNullable<ServerFlags['dev']> {
  const text = last('dev-listen-address') ?? variable('DEV_LISTEN_ADDRESS') ?? '127.0.0.1:8200'
  const address = parseAddress(text)
  if (!address) throw new UsageError(`-dev-listen-address: "${text}" is not of the form host:port`)
  const rootToken = last('dev-root-token-id') ?? variable('DEV_ROOT_TOKEN_ID')
  const tlsDirectory = last('dev-tls-cert-dir')
  if (tlsDirectory !== undefined && !on('dev-tls')) throw new UsageError('-dev-tls-cert-dir needs -dev-tls')
  return {
    ...address,
    ...(rootToken ? { rootToken } : {}),
    storeToken: !on('dev-no-store-token'),
    ...(on('dev-kv-v1') ? { kvVersion: '1' as const } : {}),
    ...(on('dev-tls') ? { tlsDirectory: tlsDirectory ?? '' } : {}),
    ...(on('dev-skip-init') ? { skipInit: true as const } : {}),
  }
}

function readLevel(text: string): LogLevel {
  const level = parseLogLevel(text)
  if (!level) throw new UsageError(`-log-level: "${text}" is not one of trace, debug, info, warn, error`)
  return level
}

function readFormat(text: string): LogFormat {
  const format = (['coffer', 'standard', 'json'] as const).find((name) => name === text.toLowerCase())
  if (!format) throw new UsageError(`-log-format: "${text}" is not one of coffer, standard, json`)
  return format
}

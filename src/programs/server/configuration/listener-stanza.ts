/** `listener "tcp" { … }` and `listener "unix" { … }`. */
import type { SecureVersion } from 'node:tls'
import { blocks, members } from '../../../lib/hcl/read.ts'
import { HclError, type HclItem, type HclObject } from '../../../lib/hcl/tree.ts'
import type { CorsRules } from '../../../server/http/cors.ts'
import { type CustomHeaders, isStatusSelector } from '../../../server/http/custom-headers.ts'
import { blockListOf, type ForwardedForRules } from '../../../server/http/forwarded-for.ts'
import type { Redaction } from '../../../server/http/redaction.ts'
import { durationLimitOf, type ListenerLimits, limitNames, readLimits } from './listener-limits.ts'
import { type Accepted, boolOf, checkSettings, countOf, durationOf, listOf, oneOf, textOf } from './settings.ts'
import { readUnixListener, type UnixListener } from './unix-listener.ts'

export interface ListenerTls {
  /** Paths of PEM files. */
  readonly certFile: string
  readonly keyFile: string
  readonly clientCaFile?: string
  readonly clientCertificates: 'asked for' | 'required' | 'not asked for'
  readonly minVersion: SecureVersion
  readonly maxVersion: SecureVersion
  /** OpenSSL's names, by ':'. */
  readonly ciphers?: string
}

export interface ListenerConfig extends ListenerLimits {
  /** Of TCP; empty and 0 for a socket of the file system. */
  readonly host: string
  readonly port: number
  readonly unix?: UnixListener
  /** Absent: plain HTTP. */
  readonly tls?: ListenerTls
  readonly requireRequestHeader: boolean
  readonly forwardedFor?: ForwardedForRules
  readonly customHeaders?: CustomHeaders
  readonly cors?: CorsRules
  readonly timeouts: {
    readonly readMs?: number
    readonly readHeaderMs?: number
    readonly idleMs?: number
    /** How long a request whose answer does not move keeps its connection; absent: for ever. */
    readonly writeMs?: number
  }
  readonly redaction?: Redaction
  readonly metrics: 'with a token' | 'for everyone' | 'nothing else' | 'none'
  readonly inFlightForEveryone: boolean
  /** True: sys/rekey and sys/generate-root are off for those without a token, on every listener. */
  readonly disableUnauthedRekey?: boolean
}

const shared = [
  'address',
  'tls_disable',
  ...limitNames,
  'require_request_header',
  'custom_response_headers',
  'http_read_timeout',
  'http_read_header_timeout',
  'http_write_timeout',
  'http_idle_timeout',
  'telemetry',
  'inflight_requests_logging',
  'cors_enabled',
  'cors_allowed_origins',
  'cors_allowed_headers',
  'cors_allow_credentials',
  'disable_unauthed_rekey_endpoints',
  'disable_unauthed_generate_root_endpoints',
  'redact_addresses',
  'redact_cluster_name',
  'redact_version',
]

const accepted = {
  where: 'listener "tcp"',
  read: [
    ...shared,
    'tls_cert_file',
    'tls_key_file',
    'tls_client_ca_file',
    'tls_require_and_verify_client_cert',
    'tls_disable_client_certs',
    'tls_min_version',
    'tls_max_version',
    'tls_cipher_suites',
    'x_forwarded_for_authorized_addrs',
    'x_forwarded_for_hop_skips',
    'x_forwarded_for_reject_not_authorized',
    'x_forwarded_for_reject_not_present',
  ],
  inert: {
    cluster_address: 'every node is active, and nodes meet in the storage',
    purpose: 'this server has one kind of listener',
    max_token_header_size: 'all headers of a request together may have 64 KiB',
    disable_request_limiter: 'there are rate limits by quota only',
    disable_replication_status_endpoints: 'there is no replication',
    tls_prefer_server_cipher_suites: "the server's order always counts",
    profiling: 'there is no profiling endpoint',
  },
  refused: {
    chroot_namespace: 'namespaces are chosen by header or path; give tokens of that namespace',
    max_json_token: 'use max_json_object_entry_count, max_json_array_element_count and max_request_json_strings',
    tls_acme_cache_path: 'give tls_cert_file and tls_key_file; SIGHUP reads them again',
    tls_acme_ca_directory: 'give tls_cert_file and tls_key_file; SIGHUP reads them again',
    tls_acme_email: 'give tls_cert_file and tls_key_file; SIGHUP reads them again',
    role: 'use telemetry { metrics_only = true }',
    proxy_protocol_behavior: 'use X-Forwarded-For (x_forwarded_for_authorized_addrs)',
    proxy_protocol_authorized_addrs: 'use X-Forwarded-For (x_forwarded_for_authorized_addrs)',
    x_forwarded_for_client_cert_header: 'client certificates are taken from TLS alone',
    tls_acme_domains: 'give tls_cert_file and tls_key_file; SIGHUP reads them again',
    tls_auto_reload: 'send SIGHUP, or POST sys/config/reload/tls',
    agent_api: 'that is for agents',
    proxy_api: 'that is for proxies',
  },
} satisfies Accepted

const acceptedOnSockets: Accepted = {
  ...accepted,
  where: 'listener "unix"',
  read: [...shared, 'socket_mode', 'socket_user', 'socket_group'],
}

/** All of them, and warnings. */
export function readListeners(document: HclObject): { listeners: ListenerConfig[]; warnings: string[] } {
  const warnings: string[] = []
  const listeners = blocks(document, 'listener', 1).map((block) => {
    const [type] = block.labels
    if (type !== 'tcp' && type !== 'unix')
      throw new HclError(`listener "${type}" is not supported: "tcp" and "unix" are`, block)
    warnings.push(...checkSettings(block.body, type === 'tcp' ? accepted : acceptedOnSockets))
    return readListener(type, block.body, block)
  })
  return { listeners, warnings }
}

type Settings = ReturnType<typeof members>
const stanzas = ['telemetry', 'inflight_requests_logging', 'custom_response_headers', 'profiling']

function readListener(type: 'tcp' | 'unix', body: HclObject, at: { line: number; column: number }): ListenerConfig {
  const settings = members({ items: body.items.filter(({ key }) => !stanzas.includes(key)) })
  const address =
    type === 'tcp' ? readAddress(settings['address']) : { host: '', port: 0, unix: readUnixListener(settings, at) }
  const tls = type === 'tcp' ? readTls(settings, at) : undefined
  const forwardedFor = readForwardedFor(settings)
  const customHeaders = readCustomHeaders(body)
  const cors = readCors(settings)
  const redaction = readRedaction(settings)
  const rekey = boolOf(settings['disable_unauthed_rekey_endpoints'])
  const generateRoot = boolOf(settings['disable_unauthed_generate_root_endpoints'])
  const disableUnauthedRekey = rekey === undefined ? generateRoot : rekey || generateRoot
  return {
    ...address,
    ...(tls ? { tls } : {}),
    ...readLimits(settings),
    requireRequestHeader: boolOf(settings['require_request_header']) ?? false,
    ...(forwardedFor ? { forwardedFor } : {}),
    ...(customHeaders ? { customHeaders } : {}),
    ...(cors ? { cors } : {}),
    timeouts: readTimeouts(settings),
    ...(redaction ? { redaction } : {}),
    metrics: readMetrics(body),
    ...(disableUnauthedRekey === undefined ? {} : { disableUnauthedRekey }),
    inFlightForEveryone: flagOf(body, 'inflight_requests_logging', 'unauthenticated_in_flight_requests_access'),
  }
}

function readTimeouts(settings: Settings): ListenerConfig['timeouts'] {
  const readMs = durationOf(settings['http_read_timeout'])
  const readHeaderMs = durationOf(settings['http_read_header_timeout'])
  const idleMs = durationOf(settings['http_idle_timeout'])
  const writeMs = durationLimitOf(settings['http_write_timeout'])
  return {
    ...(readMs === undefined ? {} : { readMs }),
    ...(readHeaderMs === undefined ? {} : { readHeaderMs }),
    ...(idleMs === undefined ? {} : { idleMs }),
    ...(writeMs === undefined ? {} : { writeMs }),
  }
}

function readRedaction(settings: Settings): Redaction | undefined {
  const redaction = {
    addresses: boolOf(settings['redact_addresses']) ?? false,
    clusterName: boolOf(settings['redact_cluster_name']) ?? false,
    version: boolOf(settings['redact_version']) ?? false,
  }
  return Object.values(redaction).some((on) => on) ? redaction : undefined
}

function readTls(settings: Settings, at: { line: number; column: number }): ListenerTls | undefined {
  const certFile = textOf(settings['tls_cert_file'])
  const keyFile = textOf(settings['tls_key_file'])
  if (boolOf(settings['tls_disable'])) return undefined
  if (!certFile || !keyFile) {
    throw new HclError('listener "tcp" needs tls_cert_file and tls_key_file, or tls_disable = true', at)
  }
  const clientCaFile = textOf(settings['tls_client_ca_file'])
  const required = boolOf(settings['tls_require_and_verify_client_cert']) ?? false
  const disabled = boolOf(settings['tls_disable_client_certs']) ?? false
  if (required && disabled) {
    throw new HclError('tls_require_and_verify_client_cert and tls_disable_client_certs exclude each other', at)
  }
  if (required && !clientCaFile) {
    throw new HclError('tls_require_and_verify_client_cert needs tls_client_ca_file', at)
  }
  const ciphers = listOf(settings['tls_cipher_suites'], 'commas').map((name) => opensslName(name, settings))
  const minVersion = versionOf(settings['tls_min_version'], 'TLSv1.2')
  const maxVersion = versionOf(settings['tls_max_version'], 'TLSv1.3')
  if (minVersion > maxVersion) {
    throw new HclError('"tls_max_version" must be greater than or equal to "tls_min_version"', at)
  }
  return {
    certFile,
    keyFile,
    ...(clientCaFile ? { clientCaFile } : {}),
    clientCertificates: required ? 'required' : disabled || !clientCaFile ? 'not asked for' : 'asked for',
    minVersion,
    maxVersion,
    ...(ciphers.length > 0 ? { ciphers: ciphers.join(':') } : {}),
  }
}

function versionOf(item: HclItem | undefined, otherwise: SecureVersion): SecureVersion {
  const text = oneOf(item, ['tls12', 'tls13'])
  return text === undefined ? otherwise : text === 'tls12' ? 'TLSv1.2' : 'TLSv1.3'
}

/** Go's names of the suites that TLS 1.2 still has to offer. */
const suites: Readonly<Record<string, string>> = {
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: 'ECDHE-ECDSA-AES128-GCM-SHA256',
  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: 'ECDHE-ECDSA-AES256-GCM-SHA384',
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: 'ECDHE-RSA-AES128-GCM-SHA256',
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: 'ECDHE-RSA-AES256-GCM-SHA384',
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305: 'ECDHE-ECDSA-CHACHA20-POLY1305',
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305: 'ECDHE-RSA-CHACHA20-POLY1305',
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-ECDSA-CHACHA20-POLY1305',
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-RSA-CHACHA20-POLY1305',
  TLS_AES_128_GCM_SHA256: 'TLS_AES_128_GCM_SHA256',
  TLS_AES_256_GCM_SHA384: 'TLS_AES_256_GCM_SHA384',
  TLS_CHACHA20_POLY1305_SHA256: 'TLS_CHACHA20_POLY1305_SHA256',
}

function opensslName(name: string, settings: Settings): string {
  const found = Object.hasOwn(suites, name) ? suites[name] : undefined
  if (found) return found
  throw new HclError(
    `"tls_cipher_suites" holds ${JSON.stringify(name)}; accepted are ${Object.keys(suites).join(', ')}`,
    settings['tls_cipher_suites'] ?? { line: 1, column: 1 },
  )
}

function readForwardedFor(settings: Settings): ForwardedForRules | undefined {
  const item = settings['x_forwarded_for_authorized_addrs']
  const addresses = listOf(item, 'commas')
  const others = Object.values(settings).find(
    ({ key }) => key.startsWith('x_forwarded_for_') && key !== 'x_forwarded_for_authorized_addrs',
  )
  if (!item || addresses.length === 0) {
    if (others) throw new HclError(`"${others.key}" needs x_forwarded_for_authorized_addrs`, others)
    return undefined
  }
  const authorized = blockListOf(addresses)
  if (!authorized) throw new HclError(`"${item.key}" must hold addresses or blocks such as "10.0.0.0/8"`, item)
  return {
    authorized,
    hopSkips: countOf(settings['x_forwarded_for_hop_skips']) ?? 0,
    rejectNotAuthorized: boolOf(settings['x_forwarded_for_reject_not_authorized']) ?? true,
    rejectNotPresent: boolOf(settings['x_forwarded_for_reject_not_present']) ?? true,
  }
}

function readCustomHeaders(body: HclObject): CustomHeaders | undefined {
  const found = blocks(body, 'custom_response_headers', 0)
  if (found.length === 0) return undefined
  const out: Record<string, Record<string, string>> = {}
  for (const block of found) {
    for (const item of block.body.items) {
      if (!isStatusSelector(item.key)) {
        throw new HclError(`invalid status code found in the server configuration: ${item.key}`, item)
      }
      const headers = out[item.key] ?? {}
      for (const { body: inside } of blocks(block.body, item.key, 0)) {
        for (const header of inside.items) headers[canonical(header.key)] = headerValue(header)
      }
      out[item.key] = headers
    }
  }
  return out
}

/** Spelled as the server spells its own, so that the same header is never there twice. */
const canonical = (name: string) => name.toLowerCase().replace(/(?:^|-)[a-z]/g, (start) => start.toUpperCase())

/** Several values of one header are one, by "; ", as Vault has it. */
function headerValue(item: HclItem): string {
  const name = item.key
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) throw new HclError(`"${name}" is not the name of a header`, item)
  if (/^(x-vault-|content-length$|transfer-encoding$|connection$)/i.test(name)) {
    throw new HclError(`the header "${name}" belongs to the server`, item)
  }
  const values = listOf(item)
    .map((value) => value.trim())
    .filter((value) => value !== '')
  if (values.some((value) => /[^\t\x20-\x7e]/.test(value))) {
    throw new HclError(`the header "${name}" must have printable ASCII as its value`, item)
  }
  return values.join('; ')
}

function readCors(settings: Settings): CorsRules | undefined {
  if (!boolOf(settings['cors_enabled'])) {
    const other = Object.values(settings).find(({ key }) => key.startsWith('cors_') && key !== 'cors_enabled')
    if (other) throw new HclError(`"${other.key}" needs cors_enabled = true`, other)
    return undefined
  }
  const item = settings['cors_allowed_origins']
  const origins = listOf(item, 'commas')
  if (!item || origins.length === 0 || (origins.includes('*') && origins.length > 1)) {
    throw new HclError(
      'cors_allowed_origins must only contain a wildcard or only non-wildcard values',
      item ?? settings['cors_enabled'] ?? { line: 1, column: 1 },
    )
  }
  return {
    origins,
    headers: ['Content-Type', 'Authorization', 'X-Vault-Token', 'X-Vault-Namespace', 'X-Vault-Wrap-TTL'].concat(
      listOf(settings['cors_allowed_headers'], 'commas'),
    ),
    credentials: boolOf(settings['cors_allow_credentials']) ?? false,
  }
}

function readMetrics(body: HclObject): ListenerConfig['metrics'] {
  const flag = (name: string) => flagOf(body, 'telemetry', name)
  for (const { body: inside } of blocks(body, 'telemetry', 0)) {
    checkSettings(inside, {
      where: 'telemetry of listener "tcp"',
      read: ['unauthenticated_metrics_access', 'disallow_metrics', 'metrics_only'],
    })
  }
  if (flag('metrics_only')) return 'nothing else'
  if (flag('disallow_metrics')) return 'none'
  return flag('unauthenticated_metrics_access') ? 'for everyone' : 'with a token'
}

const flagOf = (body: HclObject, stanza: string, name: string): boolean =>
  blocks(body, stanza, 0).some((block) => boolOf(members(block.body)[name]) ?? false)

function readAddress(item: HclItem | undefined): { host: string; port: number } {
  const text = textOf(item) ?? '127.0.0.1:8200'
  const parsed = parseAddress(text)
  if (!parsed) throw new HclError(`"${text}" is not an address of the form host:port`, item ?? { line: 1, column: 1 })
  return parsed
}

/** "127.0.0.1:8200", "[::1]:0", ":8200" (every address). */
export function parseAddress(text: string): { host: string; port: number } | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  const host = match?.[1] ?? match?.[2]
  return host === undefined || port > 65_535 ? undefined : { host: host === '' ? '0.0.0.0' : host, port }
}

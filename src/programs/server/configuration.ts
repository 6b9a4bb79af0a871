/**
 * The server's configuration: HCL or JSON, one file, several, or folders of them. What is not known is refused by name; what
 * Vault knows and does nothing here is warned of by name; nothing is ignored in silence.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { parseHcl } from '../../lib/hcl/parse.ts'
import { blocks, members } from '../../lib/hcl/read.ts'
import { HclError, type HclItem, type HclObject } from '../../lib/hcl/tree.ts'
import type { UserLockout } from '../../server/contracts/request.ts'
import { type LogLevel, parseLogLevel } from '../../server/telemetry/log-control.ts'
import { type AuditStanza, readAuditStanzas } from './audit-stanza.ts'
import { durationLimitOf } from './configuration/listener-limits.ts'
import { type ListenerConfig, readListeners } from './configuration/listener-stanza.ts'
import { boolOf, checkSettings, durationOf, listOf, oneOf, textOf } from './configuration/settings.ts'
import { readStorage, type StorageConfig } from './configuration/storage-stanza.ts'
import { readTelemetry, type TelemetryConfig } from './configuration/telemetry-stanza.ts'
import { adding, stanzas, topLevel } from './configuration/top-level.ts'
import { readUserLockouts } from './configuration/user-lockout-stanza.ts'
import { readWorkers } from './configuration/workers-setting.ts'
import { type FirstRequest, readInitialize } from './seal/initialize-stanza.ts'
import { readSealStanzas, type SealStanzas } from './seal/seal-stanza.ts'
import { readSnapshots, type SnapshotsStanza } from './snapshots/snapshots-stanza.ts'

export type { LogLevel } from '../../server/telemetry/log-control.ts'
export type { ListenerConfig } from './configuration/listener-stanza.ts'

/** Lines for people and log collectors that know Vault's, or JSON with our own or with hclog's names. */
export type LogFormat = 'coffer' | 'standard' | 'json'

export interface ServerConfig {
  readonly listeners: readonly ListenerConfig[]
  readonly storage: StorageConfig
  /** Absent: unseal keys of people. */
  readonly seals?: SealStanzas
  /** What the server does by itself on its first start. */
  readonly initialize?: readonly FirstRequest[]
  /** File audit devices may only lie below these. */
  readonly auditDirectories: readonly string[]
  /** "host:port" or the path of a socket: where audit devices that are enabled by API may write besides files. */
  readonly auditDestinations?: readonly string[]
  /** Audit devices that the server has from its start on. */
  readonly audit?: readonly AuditStanza[]
  /** When users are locked out, by type of auth method, and "all". */
  readonly userLockout?: Readonly<Record<string, UserLockout>>
  /** Hosts, addresses and blocks that engines may dial although they are private. */
  readonly outboundAllow: readonly string[]
  readonly logLevel: LogLevel
  readonly logFormat: LogFormat
  /** The log goes there as well as to standard error. */
  readonly logFile?: string
  readonly pidFile?: string
  /** Where clients reach this node, for those who ask. */
  readonly apiAddr?: string
  /** X-Vault-Hostname on every answer. */
  readonly hostnameHeader: boolean
  readonly telemetry: TelemetryConfig
  readonly defaultTtlMs: number
  readonly maxTtlMs: number
  readonly shutdownMs: number
  /** Backups that the server takes by itself; absent: none. */
  readonly snapshots?: SnapshotsStanza
  /** Processes that serve; absent: the server is one process. */
  readonly workers?: number | 'auto'
  /** How long a request may take where its listener does not say; absent: 90 s. */
  readonly maxRequestMs?: number
  /** What was given and has no effect. */
  readonly warnings: readonly string[]
}

/** The file, the place in it and what is wrong. */
export class ConfigurationError extends Error {
  override name = 'ConfigurationError'
}

const dayMs = 86_400_000

/** Files and folders, in order; in a folder every *.hcl and *.json by name. A setting of a later one wins, listeners add up. */
export function readConfiguration(paths: readonly string[]): ServerConfig {
  return configurationOf(readTexts(paths))
}

/** As a file was when it was read. */
export interface ConfigurationText {
  readonly file: string
  readonly text: string
}

export function readTexts(paths: readonly string[]): ConfigurationText[] {
  const files = paths.flatMap(filesAt)
  if (files.length === 0) throw new ConfigurationError(`there is no *.hcl or *.json file in ${paths.join(', ')}`)
  return files.map((file) => ({ file, text: readText(file) }))
}

export function configurationOf(texts: readonly ConfigurationText[]): ServerConfig {
  const documents = texts.map(({ file, text }) => inFile(file, () => parseDocument(text)))
  return inFile(texts.map(({ file }) => file).join(', '), () => interpret(merge(documents)))
}

function filesAt(path: string): string[] {
  try {
    if (!statSync(path).isDirectory()) return [path]
    const names = readdirSync(path).filter((name) => /\.(?:hcl|json)$/.test(name) && !name.startsWith('.'))
    return names.sort().map((name) => join(path, name))
  } catch (cause) {
    throw new ConfigurationError(`the configuration ${path} cannot be read`, { cause })
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new ConfigurationError(`the configuration ${file} cannot be read`, { cause })
  }
}

function inFile<T>(file: string, work: () => T): T {
  try {
    return work()
  } catch (cause) {
    if (cause instanceof HclError) throw new ConfigurationError(`${file}: ${cause.message}`, { cause })
    throw cause
  }
}

/** Throws HclError, which names the place. */
export function parseConfiguration(text: string): ServerConfig {
  return interpret(parseDocument(text))
}

interface Document extends HclObject {
  readonly warnings: readonly string[]
}

/** One file: unknown and repeated settings are found where they stand. */
function parseDocument(text: string): Document {
  const document = parseHcl(text)
  const warnings = checkSettings(document, topLevel)
  members(plain(document))
  return { items: document.items, warnings }
}

const isStanza = ({ key }: HclItem) => stanzas.some((name) => name === key)
const isRead = ({ key }: HclItem) => topLevel.read.includes(key)
const plain = (document: HclObject) => ({
  items: document.items.filter((item) => isRead(item) && !isStanza(item)),
})

/** What adds up (listeners) of all files; of everything else the last file's. */
function merge(documents: readonly Document[]): Document {
  const last = new Map<string, Document>()
  for (const document of documents) {
    for (const { key } of document.items) last.set(key === 'backend' ? 'storage' : key, document)
  }
  const items = documents.flatMap((document) =>
    document.items.filter(
      ({ key }) => adding.includes(key) || last.get(key === 'backend' ? 'storage' : key) === document,
    ),
  )
  return { items, warnings: documents.flatMap(({ warnings }) => warnings) }
}

function interpret(document: Document): ServerConfig {
  const settings = members(plain(document))
  const { listeners, warnings: ofListeners } = readListeners(document)
  const { telemetry, warnings: ofTelemetry } = readTelemetry(document)
  const { storage, warnings: ofStorage } = readStorage(document)
  const maxTtlMs = durationOf(settings['max_lease_ttl']) ?? 32 * dayMs
  const defaultTtlMs = durationOf(settings['default_lease_ttl']) ?? Math.min(maxTtlMs, 32 * dayMs)
  if (defaultTtlMs > maxTtlMs && settings['default_lease_ttl']) {
    throw new HclError('default_lease_ttl is longer than max_lease_ttl', settings['default_lease_ttl'])
  }
  const snapshots = readSnapshots(document)
  const maxRequestMs = durationLimitOf(settings['default_max_request_duration'])
  return {
    listeners: listeners.map((listener) => withDuration(listener, maxRequestMs)),
    ...(maxRequestMs === undefined ? {} : { maxRequestMs }),
    storage,
    seals: readSealStanzas(document),
    initialize: readInitialize(document),
    auditDirectories: listOf(settings['audit_file_directories']),
    ...(settings['audit_destinations'] ? { auditDestinations: listOf(settings['audit_destinations']) } : {}),
    ...(document.items.some(({ key }) => key === 'audit') ? { audit: readAuditStanzas(document) } : {}),
    ...(document.items.some(({ key }) => key === 'user_lockout') ? { userLockout: readUserLockouts(document) } : {}),
    outboundAllow: readOutbound(document),
    logLevel: levelOf(settings['log_level']),
    logFormat: oneOf(settings['log_format'], ['standard', 'json', 'coffer'] as const) ?? 'coffer',
    ...given('logFile', textOf(settings['log_file'])),
    ...given('pidFile', textOf(settings['pid_file'])),
    ...given('apiAddr', textOf(settings['api_addr'])),
    hostnameHeader: boolOf(settings['enable_response_header_hostname']) ?? false,
    telemetry,
    defaultTtlMs,
    maxTtlMs,
    shutdownMs: durationOf(settings['shutdown_timeout']) ?? 10_000,
    ...(snapshots ? { snapshots } : {}),
    ...(settings['workers'] ? { workers: readWorkers(settings['workers']) } : {}),
    warnings: [...document.warnings, ...ofListeners, ...ofTelemetry, ...ofStorage, ...checkSwitches(settings)],
  }
}

const withDuration = (listener: ListenerConfig, durationMs: number | undefined): ListenerConfig =>
  durationMs === undefined ? listener : { ...listener, requests: { durationMs, ...listener.requests } }

const given = <K extends string>(name: K, text: string | undefined): { [N in K]?: string } =>
  text ? ({ [name]: text } as { [N in K]?: string }) : {}

/** Accepted in the one position that says what is so anyway. */
function checkSwitches(settings: Readonly<Record<string, HclItem>>): string[] {
  for (const name of ['raw_storage_endpoint', 'introspection_endpoint']) {
    const item = settings[name]
    if (item && boolOf(item)) throw new HclError(`"${name}" is not supported: there is no such endpoint`, item)
  }
  return boolOf(settings['disable_mlock']) === false
    ? ['"disable_mlock" in the configuration has no effect: Node.js cannot lock memory, so turn swap off']
    : []
}

function readOutbound(document: HclObject): string[] {
  return blocks(document, 'outbound', 0).flatMap(({ body }) => {
    checkSettings(body, { where: 'outbound', read: ['allow'] })
    return listOf(members(body)['allow'])
  })
}

function levelOf(item: HclItem | undefined): LogLevel {
  const text = textOf(item)
  if (!item || text === undefined) return 'info'
  const level = parseLogLevel(text)
  if (!level) throw new HclError(`"${item.key}" must be one of trace, debug, info, warn, error`, item)
  return level
}

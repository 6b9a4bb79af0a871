/** The server's configuration file: HCL or JSON. What is not known is refused by name, never ignored. */
import { readFileSync } from 'node:fs'
import { parseVaultDuration } from '../../lib/duration.ts'
import { parseHcl } from '../../lib/hcl/parse.ts'
import { blocks, members } from '../../lib/hcl/read.ts'
import { HclError, type HclItem, type HclObject, isHclList } from '../../lib/hcl/tree.ts'

export interface ListenerConfig {
  readonly host: string
  readonly port: number
  /** Paths of PEM files; absent: plain HTTP. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string }
}

export interface ServerConfig {
  readonly listeners: readonly ListenerConfig[]
  readonly storage:
    | { readonly kind: 'inmem' }
    | { readonly kind: 'lmdb'; readonly path: string; readonly minFreeBytes?: number }
  /** File audit devices may only lie below these. */
  readonly auditDirectories: readonly string[]
  /** Hosts, addresses and blocks that engines may dial although they are private. */
  readonly outboundAllow: readonly string[]
  readonly logLevel: LogLevel
  readonly defaultTtlMs: number
  readonly maxTtlMs: number
  readonly shutdownMs: number
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** The file, the place in it and what is wrong. */
export class ConfigurationError extends Error {
  override name = 'ConfigurationError'
}

const dayMs = 86_400_000
const topLevel = [
  'listener',
  'storage',
  'outbound',
  'audit_file_directories',
  'log_level',
  'default_lease_ttl',
  'max_lease_ttl',
  'shutdown_timeout',
]
const levels: Readonly<Record<string, LogLevel>> = {
  trace: 'debug',
  debug: 'debug',
  info: 'info',
  warn: 'warn',
  error: 'error',
}

export function readConfiguration(file: string): ServerConfig {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    throw new ConfigurationError(`the configuration ${file} cannot be read`, { cause })
  }
  try {
    return parseConfiguration(text)
  } catch (cause) {
    if (cause instanceof HclError) throw new ConfigurationError(`${file}: ${cause.message}`, { cause })
    throw cause
  }
}

/** Throws HclError, which names the place. */
export function parseConfiguration(text: string): ServerConfig {
  const document = parseHcl(text)
  refuseUnknown(document, topLevel, 'the configuration')
  const listeners = blocks(document, 'listener', 1).map((block) => {
    if (block.labels[0] !== 'tcp')
      throw new HclError(`listener "${block.labels[0]}" is not supported: only "tcp" is`, block)
    return readListener(block.body)
  })
  const top = {
    items: document.items.filter(({ key }) => key !== 'listener' && key !== 'storage' && key !== 'outbound'),
  }
  const settings = members(top)
  const maxTtlMs = durationOf(settings['max_lease_ttl'], 32 * dayMs)
  const defaultTtlMs = durationOf(settings['default_lease_ttl'], Math.min(maxTtlMs, 32 * dayMs))
  if (defaultTtlMs > maxTtlMs && settings['default_lease_ttl']) {
    throw new HclError('default_lease_ttl is longer than max_lease_ttl', settings['default_lease_ttl'])
  }
  return {
    listeners,
    storage: readStorage(document),
    auditDirectories: listOf(settings['audit_file_directories']),
    outboundAllow: readOutbound(document),
    logLevel: levelOf(settings['log_level']),
    defaultTtlMs,
    maxTtlMs,
    shutdownMs: durationOf(settings['shutdown_timeout'], 10_000),
  }
}

function refuseUnknown(object: HclObject, known: readonly string[], where: string): void {
  for (const item of object.items) {
    if (!known.includes(item.key)) {
      throw new HclError(`unknown key "${item.key}" in ${where}; accepted are ${known.join(', ')}`, item)
    }
  }
}

function readListener(body: HclObject): ListenerConfig {
  refuseUnknown(body, ['address', 'tls_cert_file', 'tls_key_file', 'tls_disable'], 'listener "tcp"')
  const settings = members(body)
  const { host, port } = readAddress(settings['address'])
  const certFile = textOf(settings['tls_cert_file'])
  const keyFile = textOf(settings['tls_key_file'])
  const disable = settings['tls_disable']
  if (disable && boolOf(disable)) return { host, port }
  if (!certFile || !keyFile) {
    throw new HclError(
      'listener "tcp" needs tls_cert_file and tls_key_file, or tls_disable = true',
      body.items[0] ?? { line: 1, column: 1 },
    )
  }
  return { host, port, tls: { certFile, keyFile } }
}

function readAddress(item: HclItem | undefined): { host: string; port: number } {
  const text = textOf(item) ?? '127.0.0.1:8200'
  const parsed = parseAddress(text)
  if (!parsed) throw new HclError(`"${text}" is not an address of the form host:port`, item ?? { line: 1, column: 1 })
  return parsed
}

/** "127.0.0.1:8200", "[::1]:0". */
export function parseAddress(text: string): { host: string; port: number } | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  const host = match?.[1] ?? match?.[2]
  return host === undefined || port > 65_535 ? undefined : { host, port }
}

function readStorage(document: HclObject): ServerConfig['storage'] {
  const found = blocks(document, 'storage', 1)
  const [block] = found
  if (!block)
    throw new HclError('a storage block is missing: storage "lmdb" { path = "…" } or storage "inmem" {}', {
      line: 1,
      column: 1,
    })
  if (found.length > 1 && found[1]) throw new HclError('there can be only one storage block', found[1])
  const [kind] = block.labels
  if (kind === 'inmem') {
    refuseUnknown(block.body, [], 'storage "inmem"')
    return { kind: 'inmem' }
  }
  if (kind !== 'lmdb') throw new HclError(`storage "${kind}" is not supported: "lmdb" and "inmem" are`, block)
  refuseUnknown(block.body, ['path', 'min_free'], 'storage "lmdb"')
  const settings = members(block.body)
  const path = textOf(settings['path'])
  if (!path) throw new HclError('storage "lmdb" needs a path', block)
  const minFree = settings['min_free']
  return { kind: 'lmdb', path, ...(minFree ? { minFreeBytes: bytesOf(minFree) } : {}) }
}

function readOutbound(document: HclObject): string[] {
  return blocks(document, 'outbound', 0).flatMap(({ body }) => {
    refuseUnknown(body, ['allow'], 'outbound')
    return listOf(members(body)['allow'])
  })
}

function textOf(item: HclItem | undefined): string | undefined {
  if (!item) return undefined
  if (typeof item.value !== 'string') throw new HclError(`"${item.key}" must be a string`, item)
  return item.value
}

function boolOf(item: HclItem): boolean {
  const { value } = item
  if (typeof value === 'boolean') return value
  if (value === 1 || value === '1' || value === 'true') return true
  if (value === 0 || value === '0' || value === 'false') return false
  throw new HclError(`"${item.key}" must be true or false`, item)
}

function listOf(item: HclItem | undefined): string[] {
  if (!item) return []
  const { value } = item
  const list = isHclList(value) ? value : [value]
  return list.map((element) => {
    if (typeof element !== 'string') throw new HclError(`"${item.key}" must be a list of strings`, item)
    return element
  })
}

function durationOf(item: HclItem | undefined, otherwise: number): number {
  if (!item) return otherwise
  const ms = parseVaultDuration(item.value)
  if (ms === undefined || ms <= 0) throw new HclError(`"${item.key}" must be a duration such as "768h"`, item)
  return ms
}

function bytesOf(item: HclItem): number {
  const { value } = item
  const match = typeof value === 'string' ? /^(\d+)\s*(B|KiB|MiB|GiB)?$/.exec(value) : undefined
  const units = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const
  const unit = match?.[2]
  const bytes =
    typeof value === 'number' ? value : match ? Number(match[1]) * (unit && isUnit(unit) ? units[unit] : 1) : -1
  if (!Number.isSafeInteger(bytes) || bytes < 0)
    throw new HclError(`"${item.key}" must be a size such as "256MiB"`, item)
  return bytes
}

const isUnit = (text: string): text is 'B' | 'KiB' | 'MiB' | 'GiB' => /^(B|KiB|MiB|GiB)$/.test(text)

function levelOf(item: HclItem | undefined): LogLevel {
  const text = textOf(item)
  if (!item || text === undefined) return 'info'
  const level = Object.hasOwn(levels, text.toLowerCase()) ? levels[text.toLowerCase()] : undefined
  if (!level) throw new HclError(`"${item.key}" must be one of ${Object.keys(levels).join(', ')}`, item)
  return level
}

import type { Writable } from 'node:stream'
import { formatGoDuration } from '../../../lib/duration.ts'
import type { Listener } from '../../../server/http/listener.ts'
import { ConfigurationError, type ServerConfig } from '../configuration.ts'
import { readTls } from './open-listener.ts'

export interface StartFacts {
  /** Where clients reach this node. */
  readonly address: string | undefined
  /** In the configuration's order; absent when only the configuration was looked at. */
  readonly bound?: readonly Pick<Listener, 'address'>[]
  readonly versions: { readonly vault: string; readonly coffer: string }
}

/** Vault's block at the start, which scripts search: names to the right of column 24, in order. */
export function startReport(config: ServerConfig, { address, bound, versions }: StartFacts): string {
  const lines: [string, string][] = [
    ...(address ? [['Api Address', address] as [string, string]] : []),
    ['Cgo', 'disabled'],
    ['Node Version', process.version],
    ...config.listeners.map((listener, i): [string, string] => [
      `Listener ${i + 1}`,
      listenerLine(listener, bound?.[i]?.address),
    ]),
    ['Log Level', config.logLevel],
    ['Mlock', 'supported: false, enabled: false'],
    ['Recovery Mode', 'false'],
    ['Storage', config.storage.kind],
    ['Version', `Coffer v${versions.coffer}, Vault API ${versions.vault}`],
  ]
  const width = 24
  return `==> Vault server configuration:\n\n${lines.map(([name, value]) => `${name.padStart(width)}: ${value}\n`).join('')}\n`
}

/** The exit status of -verify-only. Also looks at the files that the configuration names. Throws ConfigurationError. */
export function verifyOnly(config: ServerConfig, out: Writable, versions: StartFacts['versions']): number {
  for (const warning of config.warnings) out.write(`warning: ${warning}\n`)
  for (const { tls } of config.listeners) {
    try {
      if (tls) readTls(tls)
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause)
      throw new ConfigurationError(`a TLS file of a listener cannot be read: ${why}`, { cause })
    }
  }
  out.write(startReport(config, { address: config.apiAddr, versions }))
  return 0
}

function listenerLine(listener: ServerConfig['listeners'][number], bound: string | undefined): string {
  const { host, port, unix, maxRequestBytes = 33_554_432, requests, tls } = listener
  const given = unix?.path ?? `${host.includes(':') ? `[${host}]` : host}:${port}`
  const address = bound?.replace(/^(?:https?|unix):\/\//, '') ?? given
  const duration = formatGoDuration(requests?.durationMs ?? 90_000)
  return `${unix ? 'unix' : 'tcp'} (addr: "${address}", max_request_duration: "${duration}", max_request_size: "${maxRequestBytes}", tls: "${tls ? 'enabled' : 'disabled'}")`
}

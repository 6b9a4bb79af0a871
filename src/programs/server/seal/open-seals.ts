/** From seal stanzas to seals: reads keys from where the stanzas say they are. */
import { readFileSync } from 'node:fs'
import type { Clock } from '../../../lib/clock.ts'
import type { Logger } from '../../../lib/log.ts'
import type { RandomBytes } from '../../../lib/random.ts'
import { setting } from '../../../lib/setting.ts'
import { VaultClient } from '../../../sdk/client.ts'
import { createNodeTransport } from '../../../sdk/node-transport.ts'
import type { Seal } from '../../../server/contracts/devices.ts'
import type { ConfiguredSeals } from '../../../server/faces/sys/seal/node-seal.ts'
import { type StaticKey, staticSeal } from '../../../server/seal/static/static.ts'
import { renewSealToken, transitSeal } from '../../../server/seal/transit/transit.ts'
import type { KeySetting, SealStanza, SealStanzas, TransitStanza } from './seal-stanza.ts'

export interface OpenSealsOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: Logger
  /** Ends the renewal of tokens. */
  readonly signal: AbortSignal
}

/** Throws an Error that names the setting, never its value. */
export function openSeals(stanzas: SealStanzas, options: OpenSealsOptions): ConfiguredSeals {
  const { current, from } = stanzas
  return {
    ...(current ? { current: openSeal(current, options) } : {}),
    ...(from ? { from: openSeal(from, options) } : {}),
  }
}

function openSeal(stanza: SealStanza, options: OpenSealsOptions): Seal {
  if (stanza.kind === 'transit') return openTransit(stanza, options)
  const current = readKey(stanza.current, 'current_key', options)
  const previous = stanza.previous && readKey(stanza.previous, 'previous_key', options)
  return staticSeal({ current, random: options.random, ...(previous ? { previous } : {}) })
}

function readKey({ id, source }: KeySetting, name: string, { env }: OpenSealsOptions): StaticKey {
  const where = `seal "static": ${name}`
  const key = decodeKey(sourceBytes(source, where, env))
  if (!key) throw new Error(`${where} must be 32 bytes, bare (in a file), in base64 or in hex`)
  return { id, key }
}

function sourceBytes(source: string, where: string, env: OpenSealsOptions['env']): Uint8Array {
  if (source.startsWith('env://')) {
    const name = source.slice('env://'.length)
    const value = env[name]
    if (!value) throw new Error(`${where}: the environment has no ${name}`)
    return Buffer.from(value)
  }
  if (!source.startsWith('file://')) return Buffer.from(source)
  const path = source.slice('file://'.length)
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new Error(`${where}: the file ${path} cannot be read`, { cause })
  }
}

function decodeKey(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.length === 32) return bytes
  const text = Buffer.from(bytes).toString('latin1').trim()
  if (/^[0-9a-fA-F]{64}$/.test(text)) return Buffer.from(text, 'hex')
  const decoded = /^[A-Za-z0-9+/]{43}=?$/.test(text) ? Buffer.from(text, 'base64') : undefined
  return decoded?.length === 32 ? decoded : undefined
}

function openTransit(stanza: TransitStanza, options: OpenSealsOptions): Seal {
  const { env, clock, log, signal } = options
  const from = (name: string) => setting(env, name)?.value
  const address = stanza.address ?? from('ADDR')
  const token = stanza.token ?? from('TOKEN')
  if (!address) throw new Error('seal "transit" needs an address, there or in VAULT_ADDR')
  if (!token) throw new Error('seal "transit" needs a token, there or in VAULT_TOKEN')
  const namespace = stanza.namespace ?? from('NAMESPACE')
  const client = new VaultClient({
    transport: createNodeTransport({ address, timeoutMs: 30_000, ...tlsOf(stanza, from) }),
    clock,
    address: address.replace(/\/+$/, ''),
    token,
    ...(namespace ? { namespace } : {}),
  })
  if (stanza.renewal) {
    renewSealToken({ ...options, client }).catch((error: unknown) => {
      if (!signal.aborted) log.error('the token of the transit seal is not renewed any more', { error: String(error) })
    })
  }
  return transitSeal({ client, mountPath: stanza.mountPath, keyName: stanza.keyName })
}

function tlsOf(stanza: TransitStanza, from: (name: string) => string | undefined) {
  const ca = stanza.caCert ?? from('CACERT')
  const certificate = stanza.clientCert ?? from('CLIENT_CERT')
  const key = stanza.clientKey ?? from('CLIENT_KEY')
  const serverName = stanza.serverName ?? from('TLS_SERVER_NAME')
  const read = (path: string) => readFileSync(path, 'utf8')
  return {
    skipVerify: stanza.skipVerify ?? /^(1|t|true)$/i.test(from('SKIP_VERIFY') ?? ''),
    ...(ca ? { caCertPem: read(ca) } : {}),
    ...(certificate ? { clientCert: read(certificate) } : {}),
    ...(key ? { clientKey: read(key) } : {}),
    ...(serverName ? { tlsServerName: serverName } : {}),
  }
}

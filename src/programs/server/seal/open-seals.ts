/** From seal stanzas to seals: reads keys from where the stanzas say they are. */
import { readFileSync } from 'node:fs'
import type { Clock } from '../../../lib/clock.ts'
import { parseGoBool } from '../../../lib/go-bool.ts'
import type { Logger } from '../../../lib/log.ts'
import type { RandomBytes } from '../../../lib/random.ts'
import { setting } from '../../../lib/setting.ts'
import { VaultClient } from '../../../sdk/client.ts'
import { createNodeTransport } from '../../../sdk/node-transport.ts'
import type { Seal } from '../../../server/contracts/devices.ts'
import type { ConfiguredSeals } from '../../../server/faces/sys/seal/node-seal.ts'
import { watchSeal } from '../../../server/seal/config/seal-watch.ts'
import { type StaticKey, staticSeal } from '../../../server/seal/static/static.ts'
import { renewSealToken, transitSeal } from '../../../server/seal/transit/transit.ts'
import { readSource } from './key-source.ts'
import { openAwsKms } from './open-awskms.ts'
import { openPkcs11 } from './open-pkcs11.ts'
import type { KeySetting, SealStanza, SealStanzas, TransitStanza } from './seal-stanza.ts'

export interface OpenSealsOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: Logger
  /** Ends what is being asked, the renewal of tokens and the watch over the seal. */
  readonly signal: AbortSignal
  /** False: another process of this node renews the tokens and watches over the seal. Default: true. */
  readonly watches?: boolean
}

/** Throws an Error that names the setting, never its value. */
export function openSeals(stanzas: SealStanzas, options: OpenSealsOptions): ConfiguredSeals {
  const { from } = stanzas
  const current = stanzas.current ?? fromEnvironment(options.env, from)
  const seal = current && openSeal(current, options)
  // A key in the configuration cannot go away.
  if (seal && current.kind !== 'static' && options.watches !== false) watchSeal({ ...options, seal })
  return { ...(seal ? { current: seal } : {}), ...(from ? { from: openSeal(from, options) } : {}) }
}

/** As Vault: these seals can be chosen without a stanza. Not the one that is left: there the keys go back to people. */
function fromEnvironment(env: OpenSealsOptions['env'], from: SealStanza | undefined): SealStanza | undefined {
  const { value: type, from: name } = setting(env, 'SEAL_TYPE') ?? { value: 'shamir', from: '' }
  if (type === 'shamir' || type === from?.kind) return undefined
  if (type === 'awskms') return { kind: 'awskms' }
  if (type === 'pkcs11') return { kind: 'pkcs11', settings: {} }
  if (type === 'transit') return { kind: 'transit' }
  throw new Error(`${name} is "${type}": this seal needs its stanza in the configuration`)
}

function openSeal(stanza: SealStanza, options: OpenSealsOptions): Seal {
  if (stanza.kind === 'transit') return openTransit(stanza, options)
  if (stanza.kind === 'awskms') return openAwsKms(stanza, options)
  if (stanza.kind === 'pkcs11') return openPkcs11(stanza, options)
  const current = readKey(stanza.current, 'current_key', options)
  const previous = stanza.previous && readKey(stanza.previous, 'previous_key', options)
  return staticSeal({ current, random: options.random, ...(previous ? { previous } : {}) })
}

function readKey({ id, source }: KeySetting, name: string, { env }: OpenSealsOptions): StaticKey {
  const where = `seal "static": ${name}`
  const key = decodeKey(readSource(source, where, env))
  if (!key) throw new Error(`${where} must be 32 bytes, bare (in a file), in base64 or in hex`)
  return { id, key }
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
  const keyName = from('TRANSIT_SEAL_KEY_NAME') ?? stanza.keyName
  const mountPath = from('TRANSIT_SEAL_MOUNT_PATH') ?? stanza.mountPath
  if (!keyName || !mountPath) {
    throw new Error(
      'seal "transit" needs key_name and mount_path, there or in VAULT_TRANSIT_SEAL_KEY_NAME and VAULT_TRANSIT_SEAL_MOUNT_PATH',
    )
  }
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
  if (isRenewed(stanza, env) && options.watches !== false) {
    renewSealToken({ ...options, client }).catch((error: unknown) => {
      if (!signal.aborted) log.error('the token of the transit seal is not renewed any more', { error: String(error) })
    })
  }
  return transitSeal({ client, mountPath, keyName, signal })
}

function isRenewed({ renewal = true }: TransitStanza, env: OpenSealsOptions['env']): boolean {
  const given = setting(env, 'TRANSIT_SEAL_DISABLE_RENEWAL')
  if (!given) return renewal
  const disabled = parseGoBool(given.value)
  if (disabled === undefined) {
    throw new Error(`seal "transit": ${given.from} is "${given.value}"; true and false are accepted`)
  }
  return !disabled
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

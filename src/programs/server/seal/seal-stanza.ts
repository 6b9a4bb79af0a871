/** `seal "static" { … }` and `seal "transit" { … }`: seals that unseal without people. Without any the seal is of shares. */
import { blocks, type HclBlock, members } from '../../../lib/hcl/read.ts'
import { HclError, type HclItem, type HclObject } from '../../../lib/hcl/tree.ts'
import { boolOf, checkSettings, textOf } from '../configuration/settings.ts'

export interface StaticStanza {
  readonly kind: 'static'
  readonly current: KeySetting
  readonly previous?: KeySetting
}
export interface KeySetting {
  readonly id: string
  /** "env://NAME", "file:///path", or 32 bytes in base64 or hex. */
  readonly source: string
}

export interface TransitStanza {
  readonly kind: 'transit'
  readonly keyName: string
  readonly mountPath: string
  readonly renewal: boolean
  /** Where they are absent the environment counts: VAULT_ADDR and the like. */
  readonly address?: string
  readonly token?: string
  readonly namespace?: string
  readonly caCert?: string
  readonly clientCert?: string
  readonly clientKey?: string
  readonly serverName?: string
  readonly skipVerify?: boolean
}

export type SealStanza = StaticStanza | TransitStanza
export interface SealStanzas {
  readonly current?: SealStanza
  /** disabled = true: the one to migrate from. */
  readonly from?: SealStanza
}

const accepted = {
  static: ['current_key_id', 'current_key', 'previous_key_id', 'previous_key', 'disabled'],
  transit: [
    'address',
    'token',
    'key_name',
    'mount_path',
    'namespace',
    'disable_renewal',
    'tls_ca_cert',
    'tls_client_cert',
    'tls_client_key',
    'tls_server_name',
    'tls_skip_verify',
    'disabled',
  ],
} as const

/** Throws HclError, which names the place. */
export function readSealStanzas(document: HclObject): SealStanzas {
  let current: SealStanza | undefined
  let from: SealStanza | undefined
  for (const block of blocks(document, 'seal', 1)) {
    if (block.labels[0] === 'shamir') {
      checkSettings(block.body, { where: 'seal "shamir"', read: [] })
      continue
    }
    const disabled = boolOf(members(block.body)['disabled']) ?? false
    const stanza = readStanza(block)
    if (disabled ? from : current) {
      throw new HclError(`there can be only one seal${disabled ? ' that is disabled' : ''}`, block)
    }
    if (disabled) from = stanza
    else current = stanza
  }
  return { ...(current ? { current } : {}), ...(from ? { from } : {}) }
}

function readStanza(block: HclBlock): SealStanza {
  const kind = block.labels[0]
  if (kind !== 'static' && kind !== 'transit') {
    throw new HclError(`seal "${kind}" is not supported: shamir, static and transit are`, block)
  }
  checkSettings(block.body, { where: `seal "${kind}"`, read: [...accepted[kind]] })
  const settings = members(block.body)
  return kind === 'static' ? readStatic(settings, block) : readTransit(settings, block)
}

type Settings = Readonly<Record<string, HclItem>>

function readStatic(settings: Settings, block: HclBlock): StaticStanza {
  const current = keySetting(settings, 'current', block)
  const previous = keySetting(settings, 'previous', block)
  if (!current) throw new HclError('seal "static" needs current_key_id and current_key', block)
  if (previous?.id === current.id) {
    throw new HclError('previous_key_id is current_key_id: another key has another id', block)
  }
  return { kind: 'static', current, ...(previous ? { previous } : {}) }
}

function keySetting(settings: Settings, which: 'current' | 'previous', block: HclBlock): KeySetting | undefined {
  const id = textOf(settings[`${which}_key_id`])
  const source = textOf(settings[`${which}_key`])
  if (id === undefined && source === undefined) return undefined
  if (!id || !source) throw new HclError(`seal "static": ${which}_key_id and ${which}_key belong together`, block)
  return { id, source }
}

function readTransit(settings: Settings, block: HclBlock): TransitStanza {
  const text = (name: string) => textOf(settings[name])
  const keyName = text('key_name')
  const mountPath = text('mount_path')
  if (!keyName || !mountPath) throw new HclError('seal "transit" needs key_name and mount_path', block)
  const optional = {
    address: text('address'),
    token: text('token'),
    namespace: text('namespace'),
    caCert: text('tls_ca_cert'),
    clientCert: text('tls_client_cert'),
    clientKey: text('tls_client_key'),
    serverName: text('tls_server_name'),
    skipVerify: boolOf(settings['tls_skip_verify']),
  }
  const renewal = !(boolOf(settings['disable_renewal']) ?? false)
  const present = Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined))
  return { kind: 'transit', keyName, mountPath, renewal, ...present }
}

/** `seal "static" { … }`, `seal "transit" { … }` and the like: seals that unseal without people. Without any the seal is of shares. */
import { blocks, type HclBlock, members } from '../../../lib/hcl/read.ts'
import { HclError, type HclItem, type HclObject } from '../../../lib/hcl/tree.ts'
import { type Accepted, boolOf, checkSettings, textOf } from '../configuration/settings.ts'
import { type AwsKmsStanza, acceptedAwsKms, readAwsKms } from './awskms-stanza.ts'
import { acceptedPkcs11, type Pkcs11Stanza, readPkcs11 } from './pkcs11-stanza.ts'

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
  /** These three yield to the environment: VAULT_TRANSIT_SEAL_KEY_NAME and the like. */
  readonly keyName?: string
  readonly mountPath?: string
  readonly renewal?: boolean
  /** Where the others are absent the environment counts: VAULT_ADDR and the like. */
  readonly address?: string
  readonly token?: string
  readonly namespace?: string
  readonly caCert?: string
  readonly clientCert?: string
  readonly clientKey?: string
  readonly serverName?: string
  readonly skipVerify?: boolean
}

export type SealStanza = StaticStanza | TransitStanza | AwsKmsStanza | Pkcs11Stanza
export interface SealStanzas {
  readonly current?: SealStanza
  /** disabled = true: the one to migrate from. */
  readonly from?: SealStanza
}

const acceptedTransit = [
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
]

interface SealKind extends Omit<Accepted, 'where'> {
  readonly parse: (block: HclBlock) => SealStanza
}

const kinds: Readonly<Record<string, SealKind>> = {
  static: {
    read: ['current_key_id', 'current_key', 'previous_key_id', 'previous_key', 'disabled'],
    parse: readStatic,
  },
  transit: { read: acceptedTransit, parse: readTransit },
  awskms: { ...acceptedAwsKms, parse: readAwsKms },
  pkcs11: { ...acceptedPkcs11, parse: readPkcs11 },
}

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
    if (current && from?.kind === current.kind) {
      throw new HclError(
        `seal "${from.kind}" stands there twice: a migration leads to a seal of another kind, so go by way of one (${kindHint[from.kind]})`,
        block,
      )
    }
  }
  return { ...(current ? { current } : {}), ...(from ? { from } : {}) }
}

const byStatic = 'such as static'
/** What to do instead, between two of one kind. */
const kindHint: Readonly<Record<SealStanza['kind'], string>> = {
  static: 'or give the key before as previous_key, without a migration',
  transit: byStatic,
  awskms: `${byStatic}, or allow both keys and change kms_key_id, without a migration`,
  pkcs11: `${byStatic}, or have both keys on the token and change key_label, without a migration`,
}

function readStanza(block: HclBlock): SealStanza {
  const label = block.labels[0] ?? ''
  const kind = Object.hasOwn(kinds, label) ? kinds[label] : undefined
  if (!kind) {
    throw new HclError(`seal "${label}" is not supported: shamir, ${Object.keys(kinds).join(', ')} are`, block)
  }
  const { parse, ...accepted } = kind
  checkSettings(block.body, { where: `seal "${label}"`, ...accepted })
  return parse(block)
}

type Settings = Readonly<Record<string, HclItem>>

function readStatic(block: HclBlock): StaticStanza {
  const settings = members(block.body)
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

function readTransit(block: HclBlock): TransitStanza {
  const settings = members(block.body)
  const text = (name: string) => textOf(settings[name])
  const notRenewed = boolOf(settings['disable_renewal'])
  const optional = {
    // Vault takes an empty text for an absent one.
    keyName: text('key_name') || undefined,
    mountPath: text('mount_path') || undefined,
    renewal: notRenewed === undefined ? undefined : !notRenewed,
    address: text('address'),
    token: text('token'),
    namespace: text('namespace'),
    caCert: text('tls_ca_cert'),
    clientCert: text('tls_client_cert'),
    clientKey: text('tls_client_key'),
    serverName: text('tls_server_name'),
    skipVerify: boolOf(settings['tls_skip_verify']),
  }
  const present = Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined))
  return { kind: 'transit', ...present }
}

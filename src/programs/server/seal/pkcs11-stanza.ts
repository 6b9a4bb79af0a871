/** `seal "pkcs11" { … }`, by Vault's and OpenBao's names, and the environment, which goes first as it does there. */
import { parseGoBool } from '../../../lib/go-bool.ts'
import type { HclBlock } from '../../../lib/hcl/read.ts'
import { HclError } from '../../../lib/hcl/tree.ts'
import { type Env, setting } from '../../../lib/setting.ts'
import { isOaepHash, mechanismCode, type OaepHash, oaepHashes } from '../../../server/seal/pkcs11/cryptoki.ts'
import type { Pkcs11Settings } from '../../../server/seal/pkcs11/pkcs11.ts'
import type { MechanismName } from '../../../server/seal/pkcs11/token-key.ts'

export interface Pkcs11Stanza {
  readonly kind: 'pkcs11'
  /** As they stand there; the environment may say otherwise. */
  readonly settings: Readonly<Partial<Record<Name, string>>>
}

const names = [
  'lib',
  'slot',
  'token_label',
  'pin',
  'key_label',
  'key_id',
  'mechanism',
  'rsa_oaep_hash',
  'rsa_encrypt_local',
  'disable_software_encryption',
  'force_rw_session',
  'generate_key',
] as const
type Name = (typeof names)[number]

const authenticates =
  'CKM_AES_GCM and CKM_RSA_PKCS_OAEP need no key for an HMAC, and other mechanisms are not supported'
const notNeeded = 'the wrapped root key says which key wrapped it'
const refused = {
  hmac_key_label: authenticates,
  hmac_key_id: authenticates,
  hmac_mechanism: authenticates,
  max_parallel: 'the token is asked for one thing at a time',
  default_key_label: notNeeded,
  default_hmac_key_label: notNeeded,
  hmac_default_key_label: notNeeded,
}

const where = 'seal "pkcs11"'
const variable = (name: string) => `HSM_${name.toUpperCase()}`

export const acceptedPkcs11 = { read: [...names, 'disabled'], refused }

/** Throws HclError, which names the place. */
export function readPkcs11(block: HclBlock): Pkcs11Stanza {
  const settings: Partial<Record<Name, string>> = {}
  for (const item of block.body.items) {
    const name = names.find((one) => one === item.key)
    if (!name) continue
    const { value } = item
    if (typeof value !== 'string' && typeof value !== 'boolean' && !Number.isSafeInteger(value)) {
      throw new HclError(`"${name}" must be a string: a slot of many digits in quotation marks`, item)
    }
    settings[name] = String(value)
  }
  return { kind: 'pkcs11', settings }
}

/** With what the environment says. Throws an Error that names the setting and, but for the PIN, what was given. */
export function pkcs11SettingsOf(stanza: Pkcs11Stanza, env: Env): Pkcs11Settings & { readonly pin: string } {
  for (const [name, why] of Object.entries(refused)) {
    const given = setting(env, variable(name))
    if (given) throw new Error(`${where}: ${given.from} is not supported: ${why}`)
  }
  const text = (name: Name) => setting(env, variable(name))?.value ?? (stanza.settings[name] || undefined)
  const needed = (name: Name) => {
    const value = text(name)
    if (value === undefined) throw new Error(`${where} needs ${name}, there or in VAULT_${variable(name)}`)
    return value
  }
  if (flag(text, 'generate_key')) {
    throw new Error(
      `${where}: generate_key is not supported: make the key with the tools of the HSM, such as pkcs11-tool --keygen --key-type aes:32 --label NAME`,
    )
  }
  const mechanism = mechanismOf(text('mechanism'))
  return {
    place: placeOf(needed('lib'), text),
    pin: needed('pin'),
    key: keyOf(text('key_label'), text('key_id')),
    oaepHash: hashOf(text('rsa_oaep_hash')),
    encryptLocally: encryptsLocally(text),
    ...(mechanism ? { mechanism } : {}),
  }
}

type Text = (name: Name) => string | undefined

function placeOf(library: string, text: Text): Pkcs11Settings['place'] {
  const label = text('token_label')
  const slot = slotOf(text('slot'))
  if (label === undefined && slot === undefined) throw new Error(`${where} needs slot or token_label`)
  return {
    library,
    readWrite: flag(text, 'force_rw_session') ?? false,
    ...(label === undefined ? {} : { label }),
    ...(slot === undefined ? {} : { slot }),
  }
}

function slotOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  if (!/^(\d{1,20}|0[xX][0-9a-fA-F]{1,16})$/.test(text)) {
    throw new Error(`${where}: slot is "${text}"; a number is accepted, decimal or with 0x`)
  }
  return BigInt(text).toString()
}

function keyOf(label: string | undefined, givenId: string | undefined): Pkcs11Settings['key'] {
  const id = givenId?.replace(/^0[xX]/, '').toLowerCase()
  if (label === undefined && id === undefined) throw new Error(`${where} needs key_label or key_id`)
  if (id !== undefined && !/^([0-9a-f]{2})+$/.test(id)) {
    throw new Error(`${where}: key_id is "${givenId}"; bytes in hex are accepted, such as 0x33333435`)
  }
  return { ...(label === undefined ? {} : { label }), ...(id === undefined ? {} : { id }) }
}

function mechanismOf(text: string | undefined): MechanismName | undefined {
  if (text === undefined) return undefined
  for (const name of ['CKM_AES_GCM', 'CKM_RSA_PKCS_OAEP'] as const) {
    const number = /^(0[xX][0-9a-fA-F]+|\d+)$/.test(text) ? Number(text) : undefined
    if (text === name || text === name.slice('CKM_'.length) || number === mechanismCode[name]) return name
  }
  throw new Error(
    `${where}: mechanism is "${text}"; CKM_AES_GCM (0x1087) and CKM_RSA_PKCS_OAEP (0x9) are accepted, as they alone show that nothing was altered`,
  )
}

function hashOf(text = 'sha256'): OaepHash {
  const hash = text.toLowerCase()
  if (isOaepHash(hash)) return hash
  throw new Error(`${where}: rsa_oaep_hash is "${text}"; accepted are ${Object.keys(oaepHashes).join(', ')}`)
}

/** Vault's name and OpenBao's, whose meanings are opposite. */
function encryptsLocally(text: Text): boolean {
  const local = flag(text, 'rsa_encrypt_local')
  const onToken = flag(text, 'disable_software_encryption')
  if (local !== undefined && local === onToken) {
    throw new Error(`${where}: rsa_encrypt_local and disable_software_encryption contradict each other`)
  }
  return local ?? !(onToken ?? false)
}

function flag(text: Text, name: Name): boolean | undefined {
  const value = text(name)
  if (value === undefined) return undefined
  const parsed = parseGoBool(value)
  if (parsed === undefined) throw new Error(`${where}: ${name} is "${value}"; true and false are accepted`)
  return parsed
}

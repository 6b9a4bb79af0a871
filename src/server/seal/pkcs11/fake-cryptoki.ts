/** A token in memory, for tests: real cryptography, and faults on demand. */
import {
  constants,
  createCipheriv,
  createDecipheriv,
  generateKeyPairSync,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
} from 'node:crypto'
import {
  type Attribute,
  attribute,
  type Cryptoki,
  type Handle,
  keyType,
  type Mechanism,
  oaepHashes,
  objectClass,
} from './cryptoki.ts'

export interface FakeObject {
  readonly class: number
  readonly keyType: number
  readonly label: string
  readonly id: string
  readonly encrypt: boolean
  readonly decrypt: boolean
  readonly secret?: Buffer
  readonly key?: KeyObject
}

export interface FakeToken {
  readonly slot: number
  label: string
  pin: string
  flags: number
  objects: FakeObject[]
}

export const fakeToken = (more: Partial<FakeToken> = {}): FakeToken => ({
  slot: 7,
  label: 'coffer',
  pin: '4321',
  flags: 0,
  objects: [],
  ...more,
})

export const aesObject = (more: Partial<FakeObject> = {}): FakeObject => ({
  class: objectClass.secretKey,
  keyType: keyType.aes,
  label: 'root',
  id: '01',
  encrypt: true,
  decrypt: true,
  secret: Buffer.alloc(32, 3),
  ...more,
})

export function rsaObjects(bits = 2048, label = 'pair'): FakeObject[] {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: bits })
  const both = { keyType: keyType.rsa, label, id: '02' }
  return [
    { ...both, class: objectClass.privateKey, key: privateKey, encrypt: false, decrypt: true },
    { ...both, class: objectClass.publicKey, key: publicKey, encrypt: true, decrypt: false },
  ]
}

const handle = (number: number): Handle => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(number))
  return bytes
}
const numberOf = (bytes: Handle) => Number(bytes.readBigUInt64LE())

export class FakeCryptoki implements Cryptoki {
  readonly calls: string[] = []
  /** By the name of the call: what it throws. */
  faults: Record<string, string> = {}
  /** As AWS CloudHSM: takes a nonce of its own and puts it behind the tag. */
  ownNonce: Buffer | undefined
  readonly #tokens: readonly FakeToken[]
  #found: Handle[] = []
  #doing: { mechanism: Mechanism; object: FakeObject } | undefined

  constructor(...tokens: FakeToken[]) {
    this.#tokens = tokens
  }

  load(library: string): void {
    this.#call('load')
    if (library === '/missing.so') throw new Error('/missing.so: cannot open shared object file')
  }
  close = () => this.#call('close')
  C_Initialize = () => this.#call('C_Initialize')
  C_Finalize = () => this.#call('C_Finalize')
  C_CloseSession = () => this.#call('C_CloseSession')
  C_Logout = () => this.#call('C_Logout')
  C_FindObjectsFinal = () => this.#call('C_FindObjectsFinal')

  C_GetSlotList(): Handle[] {
    this.#call('C_GetSlotList')
    return this.#tokens.map(({ slot }) => handle(slot))
  }

  C_GetTokenInfo(slot: Handle) {
    this.#call('C_GetTokenInfo')
    const { label, flags } = this.#in(slot)
    return { label: label.padEnd(32), flags }
  }

  C_OpenSession(slot: Handle, flags: number): Handle {
    this.#call(`C_OpenSession ${flags}`)
    return slot
  }

  C_Login(session: Handle, _user: number, pin: string): void {
    this.#call('C_Login')
    if (this.#in(session).pin !== pin) throw new Error('CKR_PIN_INCORRECT')
  }

  C_FindObjectsInit(session: Handle, template: Attribute[]): void {
    this.#call('C_FindObjectsInit')
    const wanted = (type: number) => template.find((one) => one.type === type)?.value
    const label = wanted(attribute.label)
    const id = wanted(attribute.id)
    const matches = (object: FakeObject) =>
      (label === undefined || String(label) === object.label) &&
      (id === undefined || (Buffer.isBuffer(id) && id.toString('hex') === object.id))
    const { objects, slot } = this.#in(session)
    this.#found = objects.flatMap((object, i) => (matches(object) ? [handle(slot * 100 + i)] : []))
  }

  C_FindObjects(_session: Handle, most: number): Handle[] {
    this.#call('C_FindObjects')
    return this.#found.slice(0, most)
  }

  C_GetAttributeValue(_session: Handle, object: Handle, template: Attribute[]) {
    this.#call('C_GetAttributeValue')
    const found = this.#object(object)
    return template.map(({ type }) => ({ type, value: storedValue(found, type) }))
  }

  C_EncryptInit(_session: Handle, mechanism: Mechanism, key: Handle): void {
    this.#call('C_EncryptInit')
    this.#doing = { mechanism, object: this.#object(key) }
  }

  C_DecryptInit(_session: Handle, mechanism: Mechanism, key: Handle): void {
    this.#call('C_DecryptInit')
    this.#doing = { mechanism, object: this.#object(key) }
  }

  C_Encrypt(_session: Handle, data: Buffer, into: Buffer): Buffer {
    this.#call('C_Encrypt')
    const { mechanism, object } = this.#begun()
    return written(
      object.secret ? this.#gcm(object.secret, mechanism, data) : publicEncrypt(oaep(object, mechanism), data),
      into,
    )
  }

  C_Decrypt(_session: Handle, data: Buffer, into: Buffer): Buffer {
    this.#call('C_Decrypt')
    const { mechanism, object } = this.#begun()
    try {
      return written(
        object.secret ? openGcm(object.secret, mechanism, data) : privateDecrypt(oaep(object, mechanism), data),
        into,
      )
    } catch {
      throw new Error('CKR_ENCRYPTED_DATA_INVALID')
    }
  }

  #gcm(secret: Buffer, mechanism: Mechanism, data: Buffer): Buffer {
    const cipher = createCipheriv('aes-256-gcm', secret, this.ownNonce ?? bytes(mechanism, 'iv'))
    cipher.setAAD(bytes(mechanism, 'aad'))
    return Buffer.concat([cipher.update(data), cipher.final(), cipher.getAuthTag(), this.ownNonce ?? Buffer.alloc(0)])
  }

  #begun() {
    if (!this.#doing) throw new Error('CKR_OPERATION_NOT_INITIALIZED')
    return this.#doing
  }

  #in(slot: Handle): FakeToken {
    const token = this.#tokens.find((one) => one.slot === numberOf(slot))
    if (!token) throw new Error('CKR_SLOT_ID_INVALID')
    return token
  }

  #object(at: Handle): FakeObject {
    const number = numberOf(at)
    const found = this.#tokens.find(({ slot }) => slot === Math.floor(number / 100))?.objects[number % 100]
    if (!found) throw new Error('CKR_OBJECT_HANDLE_INVALID')
    return found
  }

  #call(text: string): void {
    this.calls.push(text)
    const fault = this.faults[text.split(' ')[0] ?? '']
    if (fault) throw new Error(fault)
  }
}

function storedValue(object: FakeObject, type: number): Buffer {
  if (type === attribute.class) return handle(object.class)
  if (type === attribute.keyType) return handle(object.keyType)
  if (type === attribute.encrypt) return Buffer.of(object.encrypt ? 1 : 0)
  if (type === attribute.decrypt) return Buffer.of(object.decrypt ? 1 : 0)
  const jwk = object.key?.export({ format: 'jwk' })
  return Buffer.from((type === attribute.modulus ? jwk?.n : jwk?.e) ?? '', 'base64url')
}

function bytes({ parameter }: Mechanism, name: string): Buffer {
  const value = parameter[name]
  if (!Buffer.isBuffer(value)) throw new Error('CKR_MECHANISM_PARAM_INVALID')
  return value
}

function oaep({ key }: FakeObject, { parameter }: Mechanism) {
  const [oaepHash] = Object.entries(oaepHashes).find(([, { hashAlg }]) => hashAlg === parameter['hashAlg']) ?? []
  if (!key || !oaepHash) throw new Error('CKR_MECHANISM_PARAM_INVALID')

  return { key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash }
}

function openGcm(secret: Buffer, mechanism: Mechanism, data: Buffer): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', secret, bytes(mechanism, 'iv'))
  decipher.setAAD(bytes(mechanism, 'aad'))
  decipher.setAuthTag(data.subarray(-16))
  return Buffer.concat([decipher.update(data.subarray(0, -16)), decipher.final()])
}

function written(from: Buffer, into: Buffer): Buffer {
  from.copy(into)
  return into.subarray(0, from.length)
}

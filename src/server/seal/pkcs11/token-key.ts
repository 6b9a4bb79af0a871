/** Finds the key that wraps root keys: an AES key, or an RSA pair. */
import { attribute, type Handle, keyType, objectClass, ulong } from './cryptoki.ts'
import { describeKey, type KeyName } from './key-name.ts'
import type { OpenToken } from './token.ts'
import { attempt, TokenFault } from './token-fault.ts'

export type MechanismName = 'CKM_AES_GCM' | 'CKM_RSA_PKCS_OAEP'

export interface TokenKey {
  readonly mechanism: MechanismName
  /** The AES key, or the private one. */
  readonly handle: Handle
  /** Of an RSA pair, where the token keeps it. */
  readonly publicHandle?: Handle
}

interface Found {
  readonly handle: Handle
  readonly kind: number
}

/** More than this under one name is ambiguous anyway. */
const mostObjects = 32

/** Undefined: no key has this name. Throws TokenFault when there are several, or one of another kind than `mechanism` needs. */
export function findKey(token: OpenToken, name: KeyName, mechanism: MechanismName | undefined): TokenKey | undefined {
  const objects = objectsNamed(token, name)
  const of = (kind: number) => objects.filter((object) => object.kind === kind)
  const secret = of(objectClass.secretKey)
  const pairs = of(objectClass.privateKey)
  const fitting = mechanism === 'CKM_AES_GCM' ? secret : mechanism ? pairs : [...secret, ...pairs]
  const [key, another] = fitting
  if (!key) {
    if (secret.length + pairs.length === 0) return undefined
    throw new TokenFault(`the key ${describeKey(name)} is none for ${mechanism}: ${pairs.length ? 'RSA' : 'AES'}`)
  }
  if (another) {
    throw new TokenFault(`the token has ${fitting.length} keys ${describeKey(name)}: say which one by key_id`)
  }
  return key.kind === objectClass.secretKey
    ? aesKey(token, key, name)
    : rsaKey(token, key, of(objectClass.publicKey), name)
}

function objectsNamed(token: OpenToken, { label, id }: KeyName): Found[] {
  const template = [
    ...(label === undefined ? [] : [{ type: attribute.label, value: Buffer.from(label) }]),
    ...(id === undefined ? [] : [{ type: attribute.id, value: Buffer.from(id, 'hex') }]),
  ]
  return attempt('looking for the key', () => {
    token.cryptoki.C_FindObjectsInit(token.session, template)
    const handles = token.cryptoki.C_FindObjects(token.session, mostObjects)
    token.cryptoki.C_FindObjectsFinal(token.session)
    return handles.map((handle) => ({ handle, kind: numberOf(token, handle, attribute.class) }))
  })
}

function aesKey(token: OpenToken, { handle }: Found, name: KeyName): TokenKey {
  mustBe(token, handle, { type: keyType.aes, means: 'AES', name })
  mustAllow(token, handle, name, ['encrypt', 'decrypt'])
  return { mechanism: 'CKM_AES_GCM', handle }
}

function rsaKey(token: OpenToken, { handle }: Found, publicKeys: readonly Found[], name: KeyName): TokenKey {
  mustBe(token, handle, { type: keyType.rsa, means: 'RSA', name })
  mustAllow(token, handle, name, ['decrypt'])
  const publicKey = publicKeys.length === 1 ? publicKeys[0]?.handle : undefined
  return { mechanism: 'CKM_RSA_PKCS_OAEP', handle, ...(publicKey ? { publicHandle: publicKey } : {}) }
}

function mustBe(
  token: OpenToken,
  handle: Handle,
  { type, means, name }: { type: number; means: string; name: KeyName },
): void {
  const found = attempt('looking at the key', () => numberOf(token, handle, attribute.keyType))
  if (found !== type) throw new TokenFault(`the key ${describeKey(name)} is no ${means} key (CKA_KEY_TYPE ${found})`)
}

function mustAllow(token: OpenToken, handle: Handle, name: KeyName, uses: readonly ('encrypt' | 'decrypt')[]): void {
  for (const use of uses) {
    const value = attempt('looking at the key', () => attributeOf(token, handle, attribute[use]))
    if (!value[0]) throw new TokenFault(`the key ${describeKey(name)} may not ${use} (CKA_${use.toUpperCase()})`)
  }
}

const numberOf = (token: OpenToken, handle: Handle, type: number) => Number(ulong(attributeOf(token, handle, type)))

export function attributeOf(token: OpenToken, handle: Handle, type: number): Buffer {
  const value = token.cryptoki.C_GetAttributeValue(token.session, handle, [{ type }])[0]?.value
  if (!value) throw new TokenFault('the token does not tell what kind of key it has')
  return value
}

/** What the process beside the server does with the token: one request, one answer. */
import { timingSafeEqual } from 'node:crypto'
import type { Cryptoki } from './cryptoki.ts'
import { describeKey, type KeyName } from './key-name.ts'
import { type OpenToken, withToken } from './token.ts'
import { decryptRoot, encryptRoot } from './token-cipher.ts'
import { returnValue, TokenFault } from './token-fault.ts'
import { findKey, type TokenKey } from './token-key.ts'
import { decodeRequest, encodeAnswer, type TokenAnswer, type TokenRequest } from './token-message.ts'
import { decodeWrappedRoot, encodeWrappedRoot, type WrappedRoot } from './wrapped-root.ts'

/** What libraries say when the tag or the padding is wrong. */
const notOpened = new Set([
  'CKR_AEAD_DECRYPT_FAILED',
  'CKR_DATA_INVALID',
  'CKR_ENCRYPTED_DATA_INVALID',
  'CKR_ENCRYPTED_DATA_LEN_RANGE',
  'CKR_FUNCTION_FAILED',
  'CKR_GENERAL_ERROR',
])

/** `load`: the package that speaks PKCS#11; it may throw. Never throws itself: what goes wrong is the answer. */
export function answerTokenRequest(message: Buffer, load: () => Cryptoki): Buffer {
  return encodeAnswer(answer(message, load))
}

function answer(message: Buffer, load: () => Cryptoki): TokenAnswer {
  try {
    const { request, payload } = decodeRequest(message)
    const { place, pin } = request
    const { slot, label } = place
    const where = {
      library: place.library,
      readWrite: place.readWrite,
      pin,
      ...(slot === undefined ? {} : { slot }),
      ...(label === undefined ? {} : { label }),
    }
    const cryptoki = load()
    const work = request.act === 'wrap' ? wrap : unwrap
    return { bytes: withToken(cryptoki, where, (token) => work(token, request, payload)) }
  } catch (error) {
    if (error instanceof TokenFault) return { fault: error.message, pin: error.pin }
    return { fault: error instanceof Error ? error.message : 'the token was not asked', pin: false }
  }
}

function wrap(token: OpenToken, request: TokenRequest, root: Buffer): Buffer {
  const { hash, local } = request
  // One key wraps: the configured one.
  const names = request.keys.slice(0, 1).map(nameOf)
  const [key] = names.flatMap((name) => findKey(token, name, request.mechanism) ?? [])
  if (!key) throw noKey(names)
  const wrapped = encryptRoot(token, key, root, {
    nonce: Buffer.from(request.nonce, 'base64'),
    hash,
    local,
  })
  // A root key that can't be opened again is lost for good, so nobody gets one that was not opened.
  const again = decryptRoot(token, key, wrapped)
  const same = again.length === root.length && timingSafeEqual(again, root)
  again.fill(0)
  if (!same) throw new TokenFault('the token decrypts to something else than it encrypted: its key cannot be used')
  return encodeWrappedRoot(wrapped)
}

/** By the key that wrapped, else by the configured one: the first may have been relabelled, or be one of several of its name by now. */
function unwrap(token: OpenToken, { keys }: TokenRequest, blob: Buffer): Buffer {
  const wrapped = decodeWrappedRoot(blob)
  let first: unknown
  for (const name of keys.map(nameOf)) {
    try {
      const key = findKey(token, name, wrapped.mechanism)
      if (key) return open(token, key, wrapped, name)
    } catch (error) {
      first ??= error
    }
  }
  throw first ?? noKey(keys.map(nameOf))
}

function open(token: OpenToken, key: TokenKey, wrapped: WrappedRoot, name: KeyName): Buffer {
  try {
    return decryptRoot(token, key, wrapped)
  } catch (cause) {
    const value = cause instanceof TokenFault ? returnValue(cause.cause) : undefined
    if (value === undefined || !notOpened.has(value)) throw cause
    throw new TokenFault(
      `the key ${describeKey(name)} does not open the root key (${value}): it is another key than before, or what is stored is damaged`,
      { cause },
    )
  }
}

const noKey = (names: readonly KeyName[]) =>
  new TokenFault(
    `the token has no key ${names.map(describeKey).join(', and none ')}: Coffer makes none, pkcs11-tool --keygen does`,
  )

const nameOf = ({ label, id }: TokenRequest['keys'][number]): KeyName => ({
  ...(label === undefined ? {} : { label }),
  ...(id === undefined ? {} : { id }),
})

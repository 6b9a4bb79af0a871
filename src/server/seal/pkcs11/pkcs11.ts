/** The seal of a key inside an HSM, reached through PKCS#11: the root key can be opened only with the token and its PIN. */
import type { RandomBytes } from '../../../lib/random.ts'
import type { Seal } from '../../contracts/devices.ts'
import { Refusal } from '../../contracts/request.ts'
import { gcm, type OaepHash } from './cryptoki.ts'
import { type KeyName, keyUri, parseKeyUri } from './key-name.ts'
import type { TokenPlace } from './token.ts'
import { TokenFault } from './token-fault.ts'
import type { MechanismName } from './token-key.ts'
import { encodeRequest, type TokenRequest } from './token-message.ts'

export interface Pkcs11Settings {
  readonly place: TokenPlace
  readonly key: KeyName
  /** Absent: by the kind of the key. */
  readonly mechanism?: MechanismName
  readonly oaepHash: OaepHash
  /** RSA encryption with the public key, outside of the token. */
  readonly encryptLocally: boolean
}

export interface Pkcs11SealOptions {
  readonly settings: Pkcs11Settings
  /** Asked each time: the file may have changed. */
  readonly pin: () => string
  /** Brings a request to the token. Throws TokenFault. */
  readonly ask: (message: Buffer) => Promise<Buffer>
  readonly random: RandomBytes
}

const checkBytes = 32

/** What a token refuses or fails to do is a Refusal 500 with its reason. A wrong PIN is tried once: tokens lock themselves. */
export function pkcs11Seal(options: Pkcs11SealOptions): Seal {
  const { settings, random } = options
  const { place, key, mechanism, oaepHash: hash, encryptLocally: local } = settings
  const keyId = keyUri(key)
  const token = oneByOne(options)
  const request = (act: TokenRequest['act'], keys: KeyName[]) => ({
    act,
    place,
    keys,
    hash,
    local,
    nonce: Buffer.from(random(gcm.nonceBytes)).toString('base64'),
    ...(mechanism ? { mechanism } : {}),
  })
  const wrap = async (root: Uint8Array) => ({ blob: await token(request('wrap', [key]), root), keyId })
  return {
    type: 'pkcs11',
    automatic: true,
    keyId: () => keyId,
    wrap,
    unwrap: async (blob, id) => {
      const before = parseKeyUri(id)
      if (!before) throw new Error(`the root key was wrapped by "${id}", which is no key of a token`)
      return token(request('unwrap', id === keyId ? [key] : [before, key]), blob)
    },
    check: async () => {
      const probe = random(checkBytes)
      await wrap(probe)
    },
  }
}

/** Requests wait for one another, so that a wrong PIN is not tried twice at once. */
function oneByOne({ pin, ask }: Pkcs11SealOptions) {
  let last: Promise<unknown> = Promise.resolve()
  let refused: { readonly pin: string; readonly why: string } | undefined
  const one = async (request: Omit<TokenRequest, 'pin'>, payload: Uint8Array) => {
    const present = pin()
    // A file that is just being written, most likely; the token would count it as a wrong one.
    if (present === '') throw new TokenFault('the PIN is empty, so it was not tried')
    if (refused?.pin === present) {
      throw new TokenFault(`${refused.why}. It is not tried again, as tokens lock: give another PIN, or restart`)
    }
    const message = encodeRequest({ ...request, pin: present }, payload)
    try {
      return await ask(message)
    } catch (error) {
      if (error instanceof TokenFault && error.pin) refused = { pin: present, why: error.message }
      throw error
    } finally {
      message.fill(0)
    }
  }
  return async (request: Omit<TokenRequest, 'pin'>, payload: Uint8Array): Promise<Buffer> => {
    const mine = last.then(() => one(request, payload))
    last = mine.catch(() => undefined)
    try {
      return await mine
    } catch (cause) {
      if (!(cause instanceof TokenFault)) throw cause
      throw new Refusal(500, `seal "pkcs11": ${cause.message}`, { cause })
    }
  }
}

import { recipientOf } from '../message/recipient.ts'
import { packetType } from '../packets/packet.ts'
import { OpenpgpProblem } from '../packets/problem.ts'
import type { Component, KeyRing } from './key-ring.ts'
import { hashedKey, type PublicKey, readPublicKey } from './public-key.ts'
import { type Signature, signatureType } from './signature.ts'
import { Verifier } from './verifier.ts'

/** Communications or storage (RFC 9580, 5.2.3.29). */
const encryptionFlags = 0x04 | 0x08
/** A key made a moment ago on a machine whose clock is ahead. */
const skewMs = 600_000
/** From this day on GnuPG does not take SHA-1 from others any more: a signature made since then had better choices. */
const sha1Until = Date.UTC(2019, 0, 19)
const [md5, sha1] = [1, 2]

/**
 * The key that GnuPG would encrypt to: the newest subkey for encryption, else the primary key; bound by the primary key's
 * verified signature, neither revoked nor expired at `nowMs`. OpenpgpProblem says why there is none.
 */
export function chooseEncryptionKey(ring: KeyRing, nowMs: number): PublicKey {
  const choice = new Choice(ring, nowMs)
  const bound = choice.primaryBinding()
  const problems: string[] = []
  let best: PublicKey | undefined
  for (const subkey of ring.subkeys) {
    const key = attempt(() => choice.usableSubkey(subkey), problems)
    if (key && key.createdAt >= (best?.createdAt ?? 0)) best = key
  }
  best ??= attempt(() => choice.usablePrimary(bound), problems)
  if (best) return best
  throw new OpenpgpProblem(`there is nothing in it to encrypt to: ${problems.join('; ')}`)
}

function attempt(choose: () => PublicKey, problems: string[]): PublicKey | undefined {
  try {
    return choose()
  } catch (error) {
    if (!(error instanceof OpenpgpProblem)) throw error
    problems.push(error.message)
    return undefined
  }
}

class Choice {
  readonly #ring: KeyRing
  readonly #now: number
  readonly #verifier: Verifier
  readonly #primary: Buffer

  constructor(ring: KeyRing, nowMs: number) {
    this.#ring = ring
    this.#now = nowMs
    this.#verifier = new Verifier(ring.primary)
    this.#primary = hashedKey(ring.primary.body)
  }

  /** What the primary key says about itself, the most binding first. OpenpgpProblem when it does not hold now. */
  primaryBinding(): readonly Signature[] {
    const { primary, direct, users } = this.#ring
    const revocations = direct.filter(({ type }) => type === signatureType.keyRevocation)
    if (this.#revoked(revocations, this.#primary)) throw new OpenpgpProblem('it was revoked')
    const own = this.#newest(direct, [signatureType.direct], this.#primary, primary)
    const others = revocations.some(({ issuers }) => issuers.length > 0 && !issuers.includes(primary.keyId))
    if (others && own.some(({ namesRevoker }) => namesRevoker)) {
      throw new OpenpgpProblem('it is said to be revoked by another key that it named for that')
    }
    const said = [...own.slice(0, 1), ...newestFirst(users.flatMap((user) => this.#certification(user)))]
    if (said.length === 0) throw new OpenpgpProblem(`no signature of its own is valid${this.#why()}`)
    this.#alive(primary, said, 'it')
    return said
  }

  /** OpenpgpProblem says why it is not usable. */
  usableSubkey({ packet, signatures }: Component): PublicKey {
    const key = readPublicKey(packet.body)
    const name = `subkey ${key.keyId.toUpperCase()}`
    const document = Buffer.concat([this.#primary, hashedKey(packet.body)])
    const revocations = signatures.filter(({ type }) => type === signatureType.subkeyRevocation)
    if (this.#revoked(revocations, document)) throw new OpenpgpProblem(`${name} was revoked`)
    const binding = this.#newest(signatures, [signatureType.subkeyBinding], document, key).slice(0, 1)
    if (binding.length === 0) throw new OpenpgpProblem(`${name} is not bound by a valid signature of the primary key`)
    this.#alive(key, binding, name)
    return usable(key, binding, name)
  }

  usablePrimary(said: readonly Signature[]): PublicKey {
    return usable(this.#ring.primary, said, 'the primary key')
  }

  /** The newest word of the primary key about a user id, unless that takes it back. */
  #certification({ packet, signatures }: Component): Signature[] {
    const head = Buffer.alloc(5)
    head[0] = packet.type === packetType.userId ? 0xb4 : 0xd1
    head.writeUInt32BE(packet.body.length, 1)
    const document = Buffer.concat([this.#primary, head, packet.body])
    const { certifications, certificationRevocation } = signatureType
    const [newest] = this.#newest(signatures, certifications, document, this.#ring.primary)
    const revoked = signatures.some(
      (each) =>
        each.type === certificationRevocation &&
        each.createdAt >= (newest?.createdAt ?? 0) &&
        this.#revoked([each], document),
    )
    return newest && !revoked ? [newest] : []
  }

  /** Also by what can't be verified here: whoever added that can do no more than have the key refused. */
  #revoked(revocations: readonly Signature[], document: Uint8Array): boolean {
    return revocations.some((each) => this.#verifier.unknown(each) || this.#verifier.signed(each, document))
  }

  /** Those that hold now, the newest first. */
  #newest(all: readonly Signature[], types: readonly number[], document: Uint8Array, key: PublicKey): Signature[] {
    const valid = all.filter(
      (each) =>
        types.includes(each.type) &&
        each.understood &&
        strong(each) &&
        each.createdAt >= key.createdAt &&
        each.createdAt <= this.#now + skewMs &&
        (each.lifetimeMs === 0 || each.createdAt + each.lifetimeMs > this.#now) &&
        this.#verifier.signed(each, document),
    )
    return newestFirst(valid)
  }

  #alive(key: PublicKey, said: readonly Signature[], name: string): void {
    if (key.createdAt > this.#now + skewMs)
      throw new OpenpgpProblem(`${name} was made in the future: look at the clocks`)
    const lifetimeMs = said.find((each) => each.keyLifetimeMs !== undefined)?.keyLifetimeMs ?? 0
    const end = key.createdAt + lifetimeMs
    if (lifetimeMs > 0 && end <= this.#now) throw new OpenpgpProblem(`${name} expired on ${day(end)}`)
  }

  #why(): string {
    const { direct, users } = this.#ring
    const weak = [...direct, ...users.flatMap(({ signatures }) => signatures)].some((each) => !strong(each))
    return weak ? `: MD5 is not accepted, nor SHA-1 in signatures made after ${day(sha1Until)}` : ''
  }
}

/** Without flags a key may do what its algorithm can. */
function usable(key: PublicKey, said: readonly Signature[], name: string): PublicKey {
  const flags = said.find((each) => each.keyFlags !== undefined)?.keyFlags ?? encryptionFlags
  if ((flags & encryptionFlags) === 0) throw new OpenpgpProblem(`${name} is not for encryption`)
  try {
    recipientOf(key)
  } catch (error) {
    if (error instanceof OpenpgpProblem) throw new OpenpgpProblem(`${name}: ${error.message}`)
    throw error
  }
  return key
}

const strong = ({ hash, createdAt }: Signature) => hash !== md5 && (hash !== sha1 || createdAt < sha1Until)
const newestFirst = (all: readonly Signature[]) => all.toSorted((a, b) => b.createdAt - a.createdAt)
const day = (ms: number) => new Date(ms).toISOString().slice(0, 10)

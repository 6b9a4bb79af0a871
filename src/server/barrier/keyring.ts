import { createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto'
import { parseJson } from '../../lib/json/parse.ts'
import { stringifyJson } from '../../lib/json/stringify.ts'
import type { Json, JsonObject } from '../../lib/json/value.ts'
import type { RandomBytes } from '../../lib/random.ts'
import type { TermKeys } from './row-cipher.ts'

export interface Term {
  readonly key: KeyObject
  /** When it became the active one, ms; 0 where that was not recorded. */
  readonly installedAt: number
}

interface KeyringState {
  readonly terms: ReadonlyMap<number, Term>
  readonly plainDigests: Readonly<Record<string, string>>
  /** Counts the root keys that have been: names the row that leads from one to the next. */
  readonly rootSerial: number
  readonly recoveryKey?: KeyObject
}

/**
 * The keys that encrypt rows, one per term; itself a row, encrypted by the root key. It also holds what the plaintext
 * rows beside it must be (their SHA-256 in hex, by storage key) and, for a server that unseals itself, the recovery key.
 */
export class Keyring implements TermKeys {
  readonly activeTerm: number
  readonly #state: KeyringState

  constructor(state: KeyringState) {
    this.#state = state
    this.activeTerm = Math.max(...state.terms.keys())
  }

  static create(random: RandomBytes, installedAt: number, more: Pick<KeyringState, 'plainDigests' | 'recoveryKey'>) {
    return new Keyring({ ...more, terms: new Map([[1, { key: newKey(random), installedAt }]]), rootSerial: 1 })
  }

  get plainDigests(): Readonly<Record<string, string>> {
    return this.#state.plainDigests
  }

  get rootSerial(): number {
    return this.#state.rootSerial
  }

  get recoveryKey(): KeyObject | undefined {
    return this.#state.recoveryKey
  }

  get installedAt(): number {
    return this.#state.terms.get(this.activeTerm)?.installedAt ?? 0
  }

  /** The same ring with a further term, which becomes the active one. */
  withNewTerm(random: RandomBytes, installedAt: number): Keyring {
    const terms = new Map(this.#state.terms).set(this.activeTerm + 1, { key: newKey(random), installedAt })
    return new Keyring({ ...this.#state, terms })
  }

  /** The same terms beside other plaintext rows, another root or another recovery key. */
  changed(more: Partial<Omit<KeyringState, 'terms'>>): Keyring {
    const plainDigests = { ...this.plainDigests, ...more.plainDigests }
    return new Keyring({ ...this.#state, ...more, plainDigests })
  }

  isRecoveryKey(key: Uint8Array): boolean {
    const known = this.recoveryKey?.export()
    try {
      return known !== undefined && known.length === key.length && timingSafeEqual(known, key)
    } finally {
      known?.fill(0)
    }
  }

  withRecovery(recoveryKey: KeyObject | undefined): Keyring {
    const { recoveryKey: _, ...rest } = this.#state
    return new Keyring(recoveryKey ? { ...rest, recoveryKey } : rest)
  }

  key(term: number): KeyObject | undefined {
    return this.#state.terms.get(term)?.key
  }

  /** Holds keys: encrypt it and zero it. */
  encode(): Buffer {
    const { terms, plainDigests, rootSerial, recoveryKey } = this.#state
    const all = [...terms].map(([term, { key, installedAt }]) => ({ term, key: exported(key), installedAt }))
    const recovery = recoveryKey ? { recoveryKey: exported(recoveryKey) } : {}
    return Buffer.from(stringifyJson({ format: 1, terms: all, plainDigests, rootSerial, ...recovery }))
  }

  static decode(bytes: Uint8Array): Keyring {
    const ring = object(parseJson(bytes))
    if (ring['format'] !== 1 || !Array.isArray(ring['terms'])) throw new Error('the keyring has an unknown format')
    const terms = new Map<number, Term>()
    for (const entry of ring['terms']) {
      const { term, key, installedAt } = object(entry)
      if (typeof term !== 'number' || typeof key !== 'string') throw new Error('the keyring has a malformed term')
      terms.set(term, {
        key: takeKey(Buffer.from(key, 'base64')),
        installedAt: typeof installedAt === 'number' ? installedAt : 0,
      })
    }
    if (terms.size === 0) throw new Error('the keyring has no term')
    const plainDigests: Record<string, string> = Object.create(null)
    for (const [key, digest] of Object.entries(object(ring['plainDigests'] ?? {}))) {
      if (typeof digest === 'string') plainDigests[key] = digest
    }
    const { rootSerial, recoveryKey } = ring
    return new Keyring({
      terms,
      plainDigests,
      rootSerial: typeof rootSerial === 'number' ? rootSerial : 1,
      ...(typeof recoveryKey === 'string' ? { recoveryKey: takeKey(Buffer.from(recoveryKey, 'base64')) } : {}),
    })
  }
}

function exported(key: KeyObject): string {
  const bytes = key.export()
  const text = bytes.toString('base64')
  bytes.fill(0)
  return text
}

function newKey(random: RandomBytes): KeyObject {
  return takeKey(random(32))
}

/** A KeyObject of 32 bytes, which are zeroed. */
export function takeKey(bytes: Uint8Array): KeyObject {
  if (bytes.length !== 32) throw new RangeError('a key has 32 bytes')
  const key = createSecretKey(bytes)
  bytes.fill(0)
  return key
}

function object(value: Json | undefined): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('the keyring is malformed')
  return value as JsonObject
}

import { timingSafeEqual } from 'node:crypto'
import type { RandomBytes } from '../../../../../lib/random.ts'
import type { Barrier } from '../../../../barrier/barrier.ts'
import { Refusal } from '../../../../contracts/request.ts'
import type { SealConfig } from '../../../../seal/config/seal-config.ts'
import type { ShareCounts } from '../../../../seal/config/share-counts.ts'
import { shamirSeal, WrongUnsealKey } from '../../../../seal/shamir/shamir.ts'
import { combineShares } from '../../../../seal/shamir/shares.ts'
import { readWrappedKey } from '../seal-rows.ts'

export const automatic = (config: SealConfig) => config.type !== 'shamir'

/** An operation that waits for people ends ten minutes after the last of them. */
export const patienceMs = 600_000

/** Rows of operations under way, below core/. */
export const roundRows = { barrier: 'rekey/barrier', recovery: 'rekey/recovery', root: 'generate-root' } as const

/** What was begun with the keys of another seal can't be finished with those of this one. */
export async function endRounds(barrier: Barrier): Promise<void> {
  const core = barrier.view('core/')
  await core.transaction(async (tx) => {
    for (const row of Object.values(roundRows)) tx.remove(core, row)
  })
}

export const changedMeanwhile = () =>
  new Refusal(503, 'the keys were changed by another node at the same time, look at sys/seal-status and try again')

/** How many shares may be enough: those of the keys before count while nobody has shown the present ones. */
export const thresholdsOf = ({ threshold, previous }: SealConfig): readonly number[] =>
  previous ? [threshold, previous.threshold] : [threshold]

/** Shares as rows keep them. */
export const encodeShare = (share: Uint8Array) => Buffer.from(share).toString('base64')
export const decodeShare = (text: string): Uint8Array => Buffer.from(text, 'base64')

export function alreadyGiven(given: readonly string[], share: Uint8Array): boolean {
  return given.some((known) => {
    const bytes = decodeShare(known)
    return bytes.length === share.length && timingSafeEqual(bytes, share)
  })
}

/** The key that these shares make. Shares that can't belong together make none: Refusal 400. */
export async function keyOf(shares: readonly Uint8Array[], words: string): Promise<Uint8Array> {
  return combineShares(shares).catch((cause: unknown) => {
    throw new Refusal(400, words, { cause })
  })
}

/** Those who agreed: the key that their shares make, to be zeroed, and how it was split. */
export interface Holders extends ShareCounts {
  readonly key: Uint8Array
}

/**
 * Whether those who hold the unseal keys (the recovery keys, where the server unseals itself) agreed: their key must wrap
 * the root key in use. The keys before count while nobody has shown the present ones: else who never got those could do
 * nothing any more. Refusal 400; undefined when these are wrong and more of them (not `last`) may be right.
 */
export async function holdersOf(options: {
  readonly barrier: Barrier
  readonly random: RandomBytes
  readonly config: SealConfig
  readonly given: readonly string[]
  readonly last: boolean
  /** Begin of the refusals' words. */
  readonly before: string
  /** When the shares make no key. */
  readonly combine: string
}): Promise<Holders | undefined> {
  let key: Uint8Array | undefined
  try {
    key = await keyOf(options.given.map(decodeShare), options.combine)
    const { shares, threshold } = await verified({ ...options, key })
    return { key, shares, threshold }
  } catch (error) {
    key?.fill(0)
    if (options.last || !(error instanceof Refusal) || error.status !== 400) throw error
    return undefined
  }
}

interface Shown {
  readonly barrier: Barrier
  readonly random: RandomBytes
  readonly config: SealConfig
  readonly key: Uint8Array
}

async function verified(options: Shown & { readonly before: string }): Promise<ShareCounts> {
  const { barrier, config, key, before } = options
  if (automatic(config)) {
    if (!barrier.isRecoveryKey(key)) throw new Refusal(400, `${before}recovery key verification failed`)
    return config
  }
  try {
    const { rootKey, present } = await openRoot(options)
    rootKey.fill(0)
    return present ? config : (config.previous ?? config)
  } catch (cause) {
    if (!(cause instanceof WrongUnsealKey)) throw cause
    throw new Refusal(400, `${before}root key verification failed`, { cause })
  }
}

/** The root key by the present unseal keys, or by those before while they count. WrongUnsealKey. */
export async function openRoot({
  barrier,
  random,
  config,
  key,
}: Shown): Promise<{ readonly rootKey: Uint8Array; readonly present: boolean }> {
  const seal = shamirSeal({ kek: key, random })
  const { blob, keyId } = await readWrappedKey(barrier)
  try {
    return { rootKey: await seal.unwrap(blob, keyId), present: true }
  } catch (error) {
    if (!(error instanceof WrongUnsealKey) || !config.previous) throw error
    return { rootKey: await seal.unwrap(config.previous.wrapped, keyId), present: false }
  }
}

import { timingSafeEqual } from 'node:crypto'
import type { Logger } from '../../../../../lib/log.ts'
import { type RandomBytes, uuid } from '../../../../../lib/random.ts'
import type { Barrier } from '../../../../barrier/barrier.ts'
import type { Seal } from '../../../../contracts/devices.ts'
import { Refusal } from '../../../../contracts/request.ts'
import type { SealConfig } from '../../../../seal/config/seal-config.ts'
import { type ShareCounts, shareCountProblem } from '../../../../seal/config/share-counts.ts'
import { shamirSeal } from '../../../../seal/shamir/shamir.ts'
import { splitKey } from '../../../../seal/shamir/shares.ts'
import { readSealConfig, sealRows, sealVersion } from '../seal-rows.ts'
import { KeyBackup } from './key-backup.ts'
import {
  alreadyGiven,
  automatic,
  changedMeanwhile,
  decodeShare,
  encodeShare,
  type Holders,
  holdersOf,
  keyOf,
  patienceMs,
  roundRows,
  thresholdsOf,
} from './key-holders.ts'
import { encryptShares, readPgpKeys } from './pgp-keys.ts'
import { type RekeyRow, type RekeyTarget, type RekeyWords, rekeySchema } from './rekey-row.ts'

export interface RekeyOptions {
  readonly barrier: Barrier
  readonly random: RandomBytes
  readonly log: Logger
  /** The seal that wraps the root key where no people do. */
  readonly seal: () => Seal | undefined
  /** The unseal keys before still open, until somebody says that the new ones arrived. */
  readonly unproven: () => void
}

export interface RekeyRequest extends ShareCounts {
  readonly verify: boolean
  readonly backup: boolean
  readonly pgpKeys: readonly string[]
}

export interface RekeyStatus {
  readonly required: number
  readonly row?: RekeyRow
}

export interface RekeyResult {
  readonly nonce: string
  /** Shown once and kept nowhere; none where the server unseals itself. Messages to `fingerprints`, where there are such. */
  readonly shares: readonly Uint8Array[]
  readonly fingerprints?: readonly string[]
  /** The messages are kept. */
  readonly backup: boolean
  /** They count only once their holders have shown them. */
  readonly verificationNonce?: string
}

interface Round {
  readonly target: RekeyTarget
  readonly words: RekeyWords
}

/** The keys that an operation began with. */
interface Present {
  readonly config: SealConfig
  readonly version: string
}

/** New unseal keys, recovery keys or root key; what is under way is a row that every node goes on with. */
export class Rekey {
  readonly backups: KeyBackup
  readonly #options: RekeyOptions

  constructor(options: RekeyOptions) {
    this.#options = options
    this.backups = new KeyBackup(options.barrier)
  }

  async status({ target, words }: Round): Promise<RekeyStatus> {
    const config = await this.#config({ target, words })
    const row = await this.#row(target)
    return { required: config.threshold, ...(row ? { row } : {}) }
  }

  /** `shown`: recovery keys where there were none need nobody's agreement, so whoever may do that gets them at once. */
  async start(round: Round, request: RekeyRequest, shown = false): Promise<RekeyResult | undefined> {
    const present = await this.#present(round)
    const { config } = present
    const { core, now } = await this.#place()
    const row = await this.#newRow(round, config, request, now)
    const none = round.target === 'recovery' && config.shares === 0
    if (none && !shown) throw new Refusal(400, 'there are no recovery keys yet: use sys/rotate/recovery/init')
    const key = rowKey(round.target)
    await core.transaction(async (tx) => {
      const before = await tx.get(core, key, rekeySchema)
      if (before && before.expires > now) throw new Refusal(400, round.words.inProgress)
      tx.put(core, key, { ...row, expires: now + patienceMs })
    })
    this.#options.log.info('rekey initialised', { target: round.target, nonce: row.nonce, shares: row.shares })
    return none ? this.#handOut(round, present, row) : undefined
  }

  async cancel(round: Round): Promise<void> {
    await this.#config(round)
    await this.#remove(round.target)
  }

  /** Takes one share of the present keys; the result once there are enough. Refusal 400 when they are wrong: progress is then 0. */
  async update(round: Round, share: Uint8Array, nonce: string): Promise<RekeyResult | undefined> {
    const { barrier, random } = this.#options
    const { target } = round
    const present = await this.#present(round)
    const { config } = present
    const thresholds = thresholdsOf(config)
    const taken = await this.#change(target, (row) => {
      if (!row) throw new Refusal(400, round.words.none(target))
      if (row.verification) throw new Refusal(400, round.words.finished(row.verification.nonce))
      if (nonce !== row.nonce) throw new Refusal(400, round.words.wrongNonce(row.nonce))
      if (alreadyGiven(row.given, share)) throw new Refusal(400, round.words.given(target))
      const given = [...row.given, encodeShare(share)]
      const last = given.length >= Math.max(...thresholds)
      const enough = last || thresholds.includes(given.length)
      return { row: { ...row, given: last ? [] : given }, result: enough ? { row, given, last } : undefined }
    })
    if (!taken) return undefined
    const words = { combine: `failed to compute ${target} key`, before: '' }
    const holders = await holdersOf({ barrier, random, config, given: taken.given, last: taken.last, ...words })
    if (!holders) return undefined
    try {
      return await this.#handOut(round, present, taken.row, automatic(config) ? undefined : holders)
    } finally {
      holders.key.fill(0)
    }
  }

  /** Takes one share of the new keys; true once all that are needed were shown and the new keys count. */
  async verify(round: Round, share: Uint8Array, nonce: string): Promise<{ complete: boolean; nonce: string }> {
    const { target, words } = round
    const present = await this.#present(round)
    const taken = await this.#change(target, (row) => {
      if (!row) throw new Refusal(400, words.noneToVerify)
      const { verification } = row
      if (!verification) throw new Refusal(400, words.noVerification)
      if (nonce !== verification.nonce) {
        throw new Refusal(400, `incorrect nonce supplied; nonce for this verify operation is "${verification.nonce}"`)
      }
      if (alreadyGiven(verification.given, share)) {
        throw new Refusal(400, 'given key has already been provided during this verify operation')
      }
      const given = [...verification.given, encodeShare(share)]
      const enough = given.length >= row.threshold
      const next = enough ? { ...verification, given: [], nonce: this.#nonce() } : { ...verification, given }
      return { row: { ...row, verification: next }, result: enough ? { row, given, key: verification.key } : undefined }
    })
    if (!taken) return { complete: false, nonce }
    const key = await keyOf(taken.given.map(decodeShare), words.wrongShares)
    const wanted = decodeShare(taken.key)
    try {
      if (key.length !== wanted.length || !timingSafeEqual(key, wanted)) throw new Refusal(400, words.wrongShares)
      await this.#perform(target, present, taken.row, key)
    } finally {
      key.fill(0)
      wanted.fill(0)
    }
    await this.#remove(target)
    return { complete: true, nonce }
  }

  /** The shares shown so far are forgotten; what is verified stays. */
  async restartVerification(round: Round): Promise<void> {
    await this.#change(round.target, (row) => {
      if (!row) throw new Refusal(400, round.words.noneToVerify)
      if (!row.verification) throw new Refusal(400, round.words.noVerification)
      return { row: { ...row, verification: { ...row.verification, given: [], nonce: this.#nonce() } }, result: {} }
    })
  }

  /** A new root key without anybody's shares: only where the server unseals itself. */
  async rotateRoot(): Promise<void> {
    const version = await sealVersion(this.#options.barrier)
    const config = await readSealConfig(this.#options.barrier)
    if (!config) throw new Refusal(400, 'Vault is not initialized')
    if (!automatic(config)) {
      throw new Refusal(
        400,
        'the root key is protected by unseal keys, which alone can wrap a new one: use sys/rotate/root/init',
      )
    }
    await this.#perform('barrier', { config, version }, config)
  }

  /** Shares of an operation that nobody goes on with do not stay in storage. */
  async expire(): Promise<void> {
    for (const target of ['barrier', 'recovery'] as const) {
      const { core, now } = await this.#place()
      await core.transaction(async (tx) => {
        const row = await tx.get(core, rowKey(target), rekeySchema)
        if (row && row.expires <= now) tx.remove(core, rowKey(target))
      })
    }
  }

  async #handOut({ target }: Round, present: Present, row: RekeyRow, before?: Holders): Promise<RekeyResult> {
    const { random } = this.#options
    const { nonce } = row
    if (target === 'barrier' && automatic(present.config)) {
      await this.#perform(target, present, row)
      await this.#remove(target)
      return { nonce, shares: [], backup: false }
    }
    const key = random(32)
    try {
      const made = await this.#encrypted(await splitKey(key, row), row, target)
      if (!row.verify) {
        await this.#perform(target, present, row, key, before)
        await this.#remove(target)
        return made
      }
      const verification = { nonce: this.#nonce(), key: encodeShare(key), given: [] }
      await this.#change(target, (now) => {
        if (now?.nonce !== row.nonce) throw new Refusal(400, 'the operation was cancelled meanwhile')
        return { row: { ...now, verification }, result: {} }
      })
      return { ...made, verificationNonce: verification.nonce }
    } finally {
      key.fill(0)
    }
  }

  /** Before the new keys count: what can't be encrypted or kept must not be all that opens. */
  async #encrypted(shares: readonly Uint8Array[], row: RekeyRow, target: RekeyTarget): Promise<RekeyResult> {
    const { nonce, recipients, backup = false } = row
    if (!recipients) return { nonce, shares, backup: false }
    const messages = encryptShares(shares, recipients, this.#options.random)
    if (backup) await this.backups.keep(target, nonce, recipients, messages)
    return { nonce, shares: messages, fingerprints: recipients.map(({ fingerprint }) => fingerprint), backup }
  }

  /**
   * One commit: whoever is killed around it leaves the keys before or the new ones. Refusal 503 when the keys are not those
   * that were present when this began.
   */
  async #perform(
    target: RekeyTarget,
    present: Present,
    counts: ShareCounts,
    key?: Uint8Array,
    before?: Holders,
  ): Promise<void> {
    const { barrier, random, log, unproven } = this.#options
    const { shares, threshold } = counts
    const rootKey = random(32)
    try {
      await barrier.reroot(async () => {
        if ((await sealVersion(barrier)) !== present.version) throw changedMeanwhile()
        if (target === 'recovery' && key) {
          return { recoveryKey: key, plain: sealRows({ ...present.config, shares, threshold }) }
        }
        return { rootKey, plain: await this.#rowsFor(rootKey, present.config, counts, key, before) }
      })
    } finally {
      rootKey.fill(0)
    }
    if (before && target === 'barrier') unproven()
    log.info('rekeyed', { target, shares, threshold })
  }

  async #rowsFor(
    rootKey: Uint8Array,
    config: SealConfig,
    { shares, threshold }: ShareCounts,
    key?: Uint8Array,
    before?: Holders,
  ) {
    const { random } = this.#options
    // The seal was changed while people showed shares: what they hold belongs to the one before.
    if (key && automatic(config)) throw changedMeanwhile()
    const seal = key ? shamirSeal({ kek: key, random }) : this.#seal()
    // Nobody has the new shares until the answer arrives, and it may be lost: until then those before still open.
    const previous = before && {
      shares: before.shares,
      threshold: before.threshold,
      wrapped: (await shamirSeal({ kek: before.key, random }).wrap(rootKey)).blob,
    }
    const next = key ? { type: config.type, shares, threshold, ...(previous ? { previous } : {}) } : { ...config }
    return sealRows(next, await seal.wrap(rootKey))
  }

  #seal(): Seal {
    const seal = this.#options.seal()
    if (!seal) throw new Refusal(400, 'the seal that protects the root key is not configured')
    return seal
  }

  async #newRow({ target, words }: Round, config: SealConfig, given: RekeyRequest, nowMs: number): Promise<RekeyRow> {
    const stored = target === 'barrier' && automatic(config)
    if (stored) refuseForStored(given)
    const { shares, threshold } = stored ? { shares: 1, threshold: 1 } : given
    const problem = shareCountProblem({ shares, threshold })
    if (problem) throw new Refusal(400, `${words.invalid}${problem}`)
    if (given.backup && given.pgpKeys.length === 0) {
      throw new Refusal(400, 'cannot request a backup of the new keys without providing PGP keys for encryption')
    }
    if (given.pgpKeys.length > 0 && given.pgpKeys.length !== shares) {
      throw new Refusal(400, 'incorrect number of PGP keys for rekey')
    }
    const { verify, backup } = given
    const recipients = given.pgpKeys.length > 0 ? await readPgpKeys(given.pgpKeys, nowMs) : undefined
    const row = { nonce: this.#nonce(), shares, threshold, verify, given: [], expires: 0 }
    return { format: 1, ...row, ...(recipients ? { recipients, backup } : {}) }
  }

  async #present(round: Round): Promise<Present> {
    const version = await sealVersion(this.#options.barrier)
    return { version, config: await this.#config(round) }
  }

  async #config({ target, words }: Round): Promise<SealConfig> {
    const config = await readSealConfig(this.#options.barrier)
    if (!config) throw new Refusal(400, 'server is not yet initialized')
    if (target === 'recovery' && !automatic(config)) throw new Refusal(400, words.noRecovery)
    return config
  }

  async #row(target: RekeyTarget): Promise<RekeyRow | undefined> {
    const { core, now } = await this.#place()
    const row = await core.get(rowKey(target), rekeySchema)
    return row && row.expires > now ? row : undefined
  }

  async #change<T>(target: RekeyTarget, next: (row: RekeyRow | undefined) => { row: RekeyRow; result: T }): Promise<T> {
    const { core, now } = await this.#place()
    return core.transaction(async (tx) => {
      const found = await tx.get(core, rowKey(target), rekeySchema)
      const { row, result } = next(found && found.expires > now ? found : undefined)
      tx.put(core, rowKey(target), { ...row, expires: now + patienceMs })
      return result
    })
  }

  async #remove(target: RekeyTarget): Promise<void> {
    const core = this.#options.barrier.view('core/')
    await core.transaction(async (tx) => tx.remove(core, rowKey(target)))
  }

  async #place() {
    const { barrier } = this.#options
    return { core: barrier.view('core/'), now: await barrier.now() }
  }

  #nonce(): string {
    return uuid(this.#options.random)
  }
}

function refuseForStored({ verify, backup, pgpKeys }: RekeyRequest): void {
  const without = 'not supported when rekeying the barrier key with recovery keys'
  if (pgpKeys.length > 0) throw new Refusal(400, `PGP key encryption ${without}`)
  if (backup) throw new Refusal(400, `key backup ${without}`)
  if (verify) throw new Refusal(400, `requiring verification ${without}`)
}

const rowKey = (target: RekeyTarget) => roundRows[target]

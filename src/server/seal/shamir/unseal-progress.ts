import { timingSafeEqual } from 'node:crypto'
import { type RandomBytes, uuid } from '../../../lib/random.ts'
import { Refusal } from '../../contracts/request.ts'
import { WrongUnsealKey } from './shamir.ts'
import { combineShares } from './shares.ts'

export interface UnsealProgressOptions {
  /** How many shares may open; more than one number while the keys before the present ones still count. */
  readonly thresholds: readonly number[]
  readonly random: RandomBytes
  /**
   * Unwraps the root key with this key and unseals the barrier. WrongUnsealKey means that the shares were wrong; every
   * other error is passed on. The key is zeroed afterwards.
   */
  readonly open: (kek: Uint8Array) => Promise<void>
}

export interface UnsealState {
  readonly unsealed: boolean
  /** Shares given so far. */
  readonly progress: number
  /** Names this round; empty while no share was given. */
  readonly nonce: string
}

/** Collects unseal keys until there are enough. One per node, in memory only. */
export class UnsealProgress {
  readonly #options: UnsealProgressOptions
  #shares: Uint8Array[] = []
  #nonce = ''
  #last: Promise<unknown> = Promise.resolve()

  constructor(options: UnsealProgressOptions) {
    this.#options = options
  }

  get state(): UnsealState {
    return { unsealed: false, progress: this.#shares.length, nonce: this.#nonce }
  }

  /**
   * Takes the share over. One that was given before changes nothing. At the threshold it unseals, or refuses (400) and
   * starts again from nothing.
   */
  submit(share: Uint8Array): Promise<UnsealState> {
    const turn = this.#last.then(() => this.#submit(share))
    this.#last = turn.catch(() => undefined)
    return turn
  }

  reset(): UnsealState {
    for (const share of this.#shares) share.fill(0)
    this.#shares = []
    this.#nonce = ''
    return this.state
  }

  async #submit(share: Uint8Array): Promise<UnsealState> {
    if (this.#shares.some((known) => known.length === share.length && timingSafeEqual(known, share))) {
      // The same bytes twice is nothing new; the same buffer twice must stay.
      if (!this.#shares.includes(share)) share.fill(0)
      return this.state
    }
    if (this.#shares.length === 0) this.#nonce = uuid(this.#options.random)
    this.#shares.push(share)
    const { thresholds } = this.#options
    if (!thresholds.includes(this.#shares.length)) return this.state
    const last = this.#shares.length >= Math.max(...thresholds)
    try {
      await this.#open()
      this.reset()
      return { unsealed: true, progress: 0, nonce: '' }
    } catch (cause) {
      if (cause instanceof WrongUnsealKey && !last) return this.state
      this.reset()
      if (cause instanceof WrongUnsealKey) throw new Refusal(400, cause.message, { cause })
      throw cause
    }
  }

  async #open(): Promise<void> {
    const kek = await combineShares(this.#shares).catch(() => {
      // Shares of different lengths, or two with one coordinate.
      throw new WrongUnsealKey()
    })
    try {
      await this.#options.open(kek)
    } finally {
      kek.fill(0)
    }
  }
}

import { createHash } from 'node:crypto'
import { Pace, type Turns } from '../../../../lib/turns.ts'
import { hashedPerUnit } from './long-lines.ts'

/** In one piece of work. */
const pieceBytes = 256 * 1024

/**
 * SHA-256 of lines in their order, which a checkpoint signs. Long ones are added in slices, and what is added meanwhile waits here
 * behind them: no line's place in the chain needs the digest, so only a checkpoint has to wait for it.
 */
export class ChainDigest {
  readonly #turns: Turns
  #hash = createHash('sha256')
  #waiting: Uint8Array[] = []
  #working: Promise<void> | undefined
  #over = false
  /** Of lines that are not added yet. */
  waitingBytes = 0

  constructor(turns: Turns) {
    this.#turns = turns
  }

  /** The bytes may be used for something else afterwards. */
  add(bytes: Uint8Array): void {
    if (this.#working) this.#wait(Uint8Array.from(bytes))
    else this.#hash.update(bytes)
  }

  /** The bytes stay as they are. */
  addInTurns(pieces: readonly Uint8Array[]): void {
    for (const piece of pieces) {
      for (let at = 0; at < piece.length; at += pieceBytes) this.#wait(piece.subarray(at, at + pieceBytes))
    }
    this.#working ??= this.#work()
  }

  #wait(bytes: Uint8Array): void {
    this.#waiting.push(bytes)
    this.waitingBytes += bytes.length
  }

  async #work(): Promise<void> {
    const pace = new Pace(this.#turns)
    await pace.rest()
    while (this.#waiting.length > 0 && !this.#over) {
      const all = this.#waiting
      this.#waiting = []
      for (const bytes of all) {
        this.#hash.update(bytes)
        this.waitingBytes -= bytes.length
        if (pace.spend(bytes.length / hashedPerUnit)) await pace.rest()
        if (this.#over) return
      }
    }
    this.#working = undefined
  }

  /** Undefined: nothing waits. */
  settled(): Promise<void> | undefined {
    return this.#working
  }

  /** Hex, of all that was added since the last time; nothing may wait. */
  take(): string {
    const taken = this.#hash.digest('hex')
    this.#hash = createHash('sha256')
    return taken
  }

  /** The chain has ended, nobody asks any more. */
  forget(): void {
    this.#over = true
    this.#waiting = []
  }
}

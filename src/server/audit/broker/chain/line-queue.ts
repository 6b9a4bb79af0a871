/** What waits for a device. */
import type { Body, LongBody } from './chain-writer.ts'
import { bytesOf } from './long-lines.ts'

export interface Entry {
  readonly bodies: readonly string[]
  /** Instead of `bodies`: goes out alone. */
  readonly long?: readonly LongBody[]
  /** The last body is a checkpoint's: it is completed and signed when its turn has come. */
  readonly checkpoint?: 'checkpoint' | 'closed'
  resolve(): void
  reject(error: Error): void
}

/** `chars` and `lines` leave long lines out: one of them must not make the device refuse all others. */
export class LineQueue {
  #entries: Entry[] = []
  chars = 0
  lines = 0
  /** Of long lines. */
  longBytes = 0
  /** Short ones went out last, and long ones wait. */
  #longNext = false

  get length(): number {
    return this.#entries.length
  }

  push(entry: Entry): void {
    this.#entries.push(entry)
    for (const body of entry.bodies) this.chars += body.length
    this.lines += entry.bodies.length
    if (entry.long) this.longBytes += bytesOf(entry.long)
  }

  /**
   * What goes out next: all short lines, or one long entry. Where both wait they take turns: nobody's line waits for more than one
   * that is longer, and no long one for more than one group. Lines about the chain stay behind what was there before them.
   */
  take(): Entry[] {
    if (this.longBytes === 0) return this.takeAll()
    const at = this.#entries.findIndex(({ long }) => long !== undefined)
    const short = ({ long, checkpoint }: Entry, i: number) => long === undefined && (i < at || checkpoint === undefined)
    const passing = this.#longNext ? [] : this.#entries.filter(short)
    const group = passing.length > 0 ? passing : this.#entries.slice(at, at + 1)
    this.#longNext = passing.length > 0
    // Behind a slow device thousands wait.
    const going = new Set(group)
    this.#entries = this.#entries.filter((entry) => !going.has(entry))
    for (const { bodies, long } of group) {
      if (long) this.longBytes -= bytesOf(long)
      this.lines -= bodies.length
      for (const body of bodies) this.chars -= body.length
    }
    return group
  }

  takeAll(): Entry[] {
    const group = this.#entries
    this.#entries = []
    this.chars = 0
    this.lines = 0
    this.longBytes = 0
    return group
  }
}

/** Lines of requests: those about the chain are nobody's loss. */
export function countLines(group: readonly Entry[]): number {
  return group.reduce((sum, { bodies, long, checkpoint }) => sum + (checkpoint ? 0 : (long ?? bodies).length), 0)
}

/** What is written for them, in order. */
export function bodiesOf(before: readonly string[], group: readonly Entry[]): Body[] {
  const bodies = before.map((text) => ({ text, signed: false }))
  for (const entry of group) {
    for (const text of entry.bodies) bodies.push({ text, signed: entry.checkpoint !== undefined })
  }
  return bodies
}

/**
 * Long work in slices: between two of them everybody else runs. All slices of one queue together are one per turn of the event
 * loop, so that ten long requests delay the others no more than one does; they only take ten times as long themselves.
 */
export interface Turns {
  /** Resolves in a turn that is nobody else's of this queue; in order. */
  next(): Promise<void>
}

/** `soon`: calls back in the next turn. */
export function createTurns(soon: (run: () => void) => void = setImmediate): Turns {
  const waiting: (() => void)[] = []
  const run = () => {
    const first = waiting.shift()
    if (waiting.length > 0) soon(run)
    first?.()
  }
  return {
    next: () =>
      new Promise((resolve) => {
        waiting.push(resolve)
        if (waiting.length === 1) soon(run)
      }),
  }
}

/** What one slice may cost: about a microsecond each on a machine of today, so 2 ms. */
const sliceCost = 2000
/** Copying, encoding, comparing: characters for one unit. */
const charsPerUnit = 1024

/** Counts what a piece of work has cost since it last let others run. */
export class Pace {
  readonly #turns: Turns
  readonly #slice: number
  #left: number

  constructor(turns: Turns, slice = sliceCost) {
    this.#turns = turns
    this.#slice = slice
    this.#left = slice
  }

  /** What is left of this slice. */
  get left(): number {
    return this.#left
  }

  /** True: the slice is used up, `rest` before going on. */
  spend(cost: number): boolean {
    this.#left -= cost
    return this.#left <= 0
  }

  spendChars(chars: number): boolean {
    return this.spend(chars / charsPerUnit)
  }

  async rest(): Promise<void> {
    await this.#turns.next()
    this.#left = this.#slice
  }
}

/** Work that stops at the end of each slice, without its pauses. */
export function atOnce<T>(work: Generator<void, T>): T {
  for (;;) {
    const step = work.next()
    if (step.done) return step.value
  }
}

/** The same, with them. */
export async function inTurns<T>(work: Generator<void, T>, turns: Turns): Promise<T> {
  for (;;) {
    const step = work.next()
    if (step.done) return step.value
    await turns.next()
  }
}

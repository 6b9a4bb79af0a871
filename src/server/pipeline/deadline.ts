import type { Clock } from '../../lib/clock.ts'
import type { Incoming } from './exchange.ts'

const usualMs = 90_000

/** Costs nothing until someone asks for the signal. */
export class Deadline {
  readonly #clock: Clock
  readonly #incoming: Incoming
  readonly #started: number
  #controller: AbortController | undefined
  #cancel: (() => void) | undefined
  exceeded = false
  /** How long the request may take. */
  readonly ms: number
  /** Set for operations whose work has no end of its own (`deadline: 'none'`); the client going away still aborts. */
  unlimited = false

  constructor(clock: Clock, incoming: Incoming) {
    this.#clock = clock
    this.#incoming = incoming
    this.#started = clock.monotonic()
    this.ms = incoming.limits?.durationMs ?? usualMs
  }

  get signal(): AbortSignal {
    if (this.#controller) return this.#controller.signal
    const controller = new AbortController()
    this.#controller = controller
    this.#incoming.onGone?.(() => controller.abort(new Error('the client went away')))
    if (this.unlimited) return controller.signal
    this.#cancel = this.#clock.after(this.ms - (this.#clock.monotonic() - this.#started), () => {
      this.exceeded = true
      controller.abort(new Error('the request took too long'))
    })
    return controller.signal
  }

  /** Nobody waits for the answer any more. */
  abandon(): void {
    this.#controller?.abort(new Error('the answer was refused'))
  }

  end(): void {
    this.#cancel?.()
  }
}

import type { Clock } from '../../lib/clock.ts'
import type { RandomBytes } from '../../lib/random.ts'
import { apiError } from '../answers.ts'
import { ApiError } from '../client.ts'
import { fraction } from '../watch/backoff.ts'
import { type KubeResponse, type KubeTransport, readText, Unreachable } from './transport.ts'

export interface Ask {
  readonly method: string
  readonly path: string
  readonly body?: string
  readonly contentType?: string
  readonly accept?: string
  readonly signal?: AbortSignal
}

/** A mutating call may wait for webhooks, 30 s at most each. */
const deadlineMs = 90_000
const tries = 5
const longestWaitMs = 60_000

/** Requests with a deadline and with the retries that are safe. */
export class Requester {
  readonly #options: { transport: KubeTransport; clock: Clock; random: RandomBytes; userAgent: string }

  constructor(options: { transport: KubeTransport; clock: Clock; random: RandomBytes; userAgent: string }) {
    this.#options = options
  }

  /** The body of a 2xx answer; anything else is thrown as ApiError. */
  async text(ask: Ask): Promise<string> {
    for (let attempt = 1; ; attempt++) {
      let failure: Unreachable | ApiError
      try {
        return await this.#once(ask)
      } catch (error) {
        if (!(error instanceof Unreachable || error instanceof ApiError)) throw error
        failure = error
      }
      const waitMs = attempt < tries ? this.#retryAfter(ask, failure, attempt) : undefined
      if (waitMs === undefined) throw failure
      await this.#options.clock.sleep(waitMs, ask.signal)
    }
  }

  /** The answer as it comes, whatever its status; no retries, no deadline. */
  send(ask: Ask): Promise<KubeResponse> {
    return this.#options.transport.send({
      method: ask.method,
      path: ask.path,
      headers: {
        'user-agent': this.#options.userAgent,
        accept: ask.accept ?? 'application/json',
        ...(ask.body === undefined ? {} : { 'content-type': ask.contentType ?? 'application/json' }),
      },
      ...(ask.body === undefined ? {} : { body: ask.body }),
      ...(ask.signal ? { signal: ask.signal } : {}),
    })
  }

  open(path: string, signal: AbortSignal): Promise<KubeResponse> {
    return this.send({ method: 'GET', path, signal })
  }

  async #once(ask: Ask): Promise<string> {
    const deadline = new AbortController()
    const onAbort = () => deadline.abort(ask.signal?.reason)
    if (ask.signal?.aborted) onAbort()
    ask.signal?.addEventListener('abort', onAbort, { once: true })
    const cancel = this.#options.clock.after(deadlineMs, () =>
      deadline.abort(new Unreachable(`no answer from the Kubernetes API within ${deadlineMs / 1000} s`)),
    )
    try {
      const response = await this.send({ ...ask, signal: deadline.signal })
      const text = await readText(response.body)
      if (response.status >= 200 && response.status < 300) return text
      throw apiError(response.status, text, response.headers['retry-after'])
    } finally {
      cancel()
      ask.signal?.removeEventListener('abort', onAbort)
    }
  }

  /** How long to wait before the next try; undefined: the failure is final. */
  #retryAfter(ask: Ask, failure: Unreachable | ApiError, attempt: number): number | undefined {
    // The server did not begin with the request and says when to come back: safe for every method.
    if (failure instanceof ApiError && (failure.status === 429 || failure.status === 503)) {
      if (failure.retryAfterMs !== undefined) return Math.min(Math.max(failure.retryAfterMs, 100), longestWaitMs)
    }
    // A write may have happened: only its author knows whether it can be repeated.
    if (ask.method !== 'GET') return undefined
    if (failure instanceof ApiError && failure.status < 500) return undefined
    return 50 * 2 ** (attempt - 1) * (0.75 + 0.5 * fraction(this.#options.random))
  }
}

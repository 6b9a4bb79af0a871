import type { Clock } from '../../lib/clock.ts'
import type { RandomBytes } from '../../lib/random.ts'
import { apiError } from '../answers.ts'
import { ApiError } from '../client.ts'
import { jittered, spread } from '../watch/backoff.ts'
import { type KubeResponse, type KubeTransport, readText, Unreachable } from './transport.ts'

export interface Ask {
  readonly method: string
  readonly path: string
  readonly body?: string
  readonly contentType?: string
  readonly accept?: string
  readonly signal?: AbortSignal
  /** The answer may take as long as it likes while bytes keep coming. */
  readonly long?: boolean
  /** The caller tries again itself. */
  readonly once?: boolean
}

const tries = 5
const firstRetryMs = 50
const shortestWaitMs = 100
const longestWaitMs = 60_000
const closed = new Unreachable('the Kubernetes client is closed', { notSent: true })

export interface RequesterOptions {
  readonly transport: KubeTransport
  readonly clock: Clock
  readonly random: RandomBytes
  readonly userAgent: string
  readonly answerMs: number
}

/** Requests with a deadline and with the retries that are safe. */
export class Requester {
  readonly #options: RequesterOptions
  readonly #closing = new AbortController()

  constructor(options: RequesterOptions) {
    this.#options = options
  }

  /** The body of a 2xx answer; anything else is thrown as ApiError. */
  async text(ask: Ask): Promise<string> {
    for (let attempt = 1; ; attempt++) {
      let failure: Unreachable | ApiError
      try {
        const { status, headers, body } = await this.whole(ask)
        if (status >= 200 && status < 300) return body
        failure = apiError(status, body, headers['retry-after'])
      } catch (error) {
        if (!(error instanceof Unreachable)) throw error
        failure = error
      }
      const last = attempt >= tries || ask.once || this.#closing.signal.aborted
      const waitMs = last ? undefined : this.#retryAfter(ask, failure, attempt)
      if (waitMs === undefined) throw failure
      await this.#wait(waitMs, ask.signal)
    }
  }

  /** The answer, whatever its status, when all of it is there; no retries. */
  async whole(ask: Ask): Promise<{ status: number; headers: KubeResponse['headers']; body: string }> {
    const { clock, answerMs } = this.#options
    const deadline = new AbortController()
    const onAbort = () => deadline.abort(ask.signal?.reason)
    if (ask.signal?.aborted) onAbort()
    ask.signal?.addEventListener('abort', onAbort, { once: true })
    const late = () => deadline.abort(new Unreachable(`no answer from the Kubernetes API within ${answerMs / 1000} s`))
    let cancel = clock.after(answerMs, late)
    const onPiece = () => {
      if (!ask.long) return
      cancel()
      cancel = clock.after(answerMs, late)
    }
    try {
      const { status, headers, body } = await this.#send(ask, deadline.signal)
      return { status, headers, body: await readText(body, undefined, onPiece) }
    } finally {
      cancel()
      ask.signal?.removeEventListener('abort', onAbort)
    }
  }

  /** GETs a path; resolves when the head of the answer is there. No retries, no deadline. */
  open(path: string, signal: AbortSignal): Promise<KubeResponse> {
    return this.#send({ method: 'GET', path }, signal)
  }

  /** Ends every wait for another try; what is under way is the transport's to end. */
  close(): void {
    this.#closing.abort(closed)
  }

  #send(ask: Ask, signal: AbortSignal): Promise<KubeResponse> {
    if (this.#closing.signal.aborted) return Promise.reject(closed)
    const headers: Record<string, string> = {
      'user-agent': this.#options.userAgent,
      accept: ask.accept ?? 'application/json',
    }
    const { method, path, body } = ask
    if (body === undefined) return this.#options.transport.send({ method, path, headers, signal })
    headers['content-type'] = ask.contentType ?? 'application/json'
    return this.#options.transport.send({ method, path, headers, body, signal })
  }

  async #wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
    const closing = this.#closing.signal
    await this.#options.clock.sleep(ms, signal ? AbortSignal.any([signal, closing]) : closing)
  }

  /** How long to wait before the next try; undefined: the failure is final. */
  #retryAfter(ask: Ask, failure: Unreachable | ApiError, attempt: number): number | undefined {
    const { random } = this.#options
    // The server did not begin with the request and says when to come back: safe for every method.
    if (failure instanceof ApiError && (failure.status === 429 || failure.status === 503)) {
      const { retryAfterMs } = failure
      if (retryAfterMs !== undefined) {
        return spread(Math.min(Math.max(retryAfterMs, shortestWaitMs), longestWaitMs), random)
      }
    }
    // A write may have happened: only its author knows whether it can be repeated. One that never left can.
    if (ask.method !== 'GET' && !(failure instanceof Unreachable && failure.notSent)) return undefined
    if (failure instanceof ApiError && failure.status < 500) return undefined
    return jittered(firstRetryMs * 2 ** (attempt - 1), random)
  }
}

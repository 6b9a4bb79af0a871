import type { Clock } from '../../lib/clock.ts'
import type { RequestsUnderWay, RequestUnderWay } from './requests-under-way.ts'
import type { ServerMetrics } from './server-metrics.ts'

/** The pipeline's exchange, when it is done. */
export interface MeasuredRequest extends RequestUnderWay {
  readonly mount?: { readonly info: { readonly path: string } }
  readonly nouns?: { readonly info: { readonly path: string } }
  /** What it made: a login's token. */
  readonly made?: unknown
  readonly token?: RequestUnderWay['token'] & { readonly caller: { readonly entityId: string } }
}

/** Counts and times each request: two reads of the clock, a set's add and delete, two or three observations. */
export class RequestMeter {
  readonly #clock: Clock
  readonly #requests: RequestsUnderWay
  readonly #metrics: ServerMetrics

  constructor(options: { clock: Clock; requests: RequestsUnderWay; metrics: ServerMetrics }) {
    this.#clock = options.clock
    this.#requests = options.requests
    this.#metrics = options.metrics
  }

  /** What `end` wants back. */
  begin(request: MeasuredRequest): number {
    this.#requests.add(request)
    return this.#clock.monotonic()
  }

  end(request: MeasuredRequest, begun: number): void {
    this.#requests.remove(request)
    const now = this.#clock.monotonic()
    const took = now - begun
    const login = request.made !== undefined && request.token === undefined
    if (login) this.#metrics.handleLoginRequest.observe(took, now)
    else this.#metrics.handleRequest.observe(took, now)
    const mount = request.mount?.info.path
    if (mount === undefined) return
    const namespace = request.nouns?.info.path ?? ''
    this.#metrics.route(request.incoming.verb, namespace === '' ? mount : namespace + mount).observe(took, now)
  }
}

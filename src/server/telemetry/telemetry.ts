/** What the server counts about itself: counters, gauges and summaries by name and labels, kept in this process only. */
import type { Clock } from '../../lib/clock.ts'
import { Summary } from './summary.ts'

/** Names and values are few and chosen by the operator (mounts, devices), never by a caller: no keys, no tokens, no addresses. */
export type Labels = Readonly<Record<string, string>>

export class Counter {
  value = 0

  add(by = 1): void {
    this.value += by
  }
}

export class Gauge {
  /** NaN until it is set: not shown. */
  value = Number.NaN

  set(value: number): void {
    this.value = value
  }

  add(by: number): void {
    this.value = (Number.isNaN(this.value) ? 0 : this.value) + by
  }
}

/** As it is shown: of this process, or of several taken together. */
export type Series = { readonly name: string; readonly labels: Labels } & (
  | { readonly kind: 'counter'; readonly counter: Pick<Counter, 'value'> }
  | { readonly kind: 'gauge'; readonly gauge: Pick<Gauge, 'value'> }
  | { readonly kind: 'summary'; readonly summary: Pick<Summary, 'count' | 'sum' | 'quantiles' | 'interval' | 'window'> }
)

type OwnSeries = { readonly name: string; readonly labels: Labels } & (
  | { readonly kind: 'counter'; readonly counter: Counter }
  | { readonly kind: 'gauge'; readonly gauge: Gauge }
  | { readonly kind: 'summary'; readonly summary: Summary }
)

interface Source {
  readonly everyMs: number
  readonly fill: () => void | Promise<void>
  due: number
}

/** More than this many series are not made: what exceeds them is counted in the series with the label `other="true"`. */
const maxSeries = 5000

/**
 * Ask once for a handle and keep it: what a request costs is an addition. Names are dotted ("core.handle_request") and shown
 * as Vault's are: vault_core_handle_request in Prometheus' format, vault.core.handle_request in JSON.
 */
export class Telemetry {
  readonly clock: Clock
  readonly #series = new Map<string, OwnSeries>()
  readonly #sources: Source[] = []
  readonly #onSourceFailed: (error: unknown) => void

  constructor(options: { clock: Clock; sourceFailed?: (error: unknown) => void }) {
    this.clock = options.clock
    this.#onSourceFailed = options.sourceFailed ?? (() => {})
  }

  counter(name: string, labels: Labels = {}): Counter {
    const found = this.#at(name, labels, () => ({ name, labels, kind: 'counter', counter: new Counter() }))
    if (found.kind !== 'counter') throw new Error(`${name} is a ${found.kind}`)
    return found.counter
  }

  gauge(name: string, labels: Labels = {}): Gauge {
    const found = this.#at(name, labels, () => ({ name, labels, kind: 'gauge', gauge: new Gauge() }))
    if (found.kind !== 'gauge') throw new Error(`${name} is a ${found.kind}`)
    return found.gauge
  }

  summary(name: string, labels: Labels = {}): Summary {
    const make = (): OwnSeries => ({ name, labels, kind: 'summary', summary: new Summary({ clock: this.clock }) })
    const found = this.#at(name, labels, make)
    if (found.kind !== 'summary') throw new Error(`${name} is a ${found.kind}`)
    return found.summary
  }

  /** The same summary under a second name: it costs nothing to whoever observes. The last one of a name counts. */
  alias(name: string, summary: Summary): void {
    this.#series.set(keyOf(name, {}), { name, labels: {}, kind: 'summary', summary })
  }

  /** `fill` sets gauges; it runs when somebody reads the metrics, at most every `everyMs`. What it throws ends nothing. */
  source(fill: () => void | Promise<void>, everyMs = 0): void {
    this.#sources.push({ fill, everyMs, due: Number.NEGATIVE_INFINITY })
  }

  /** Everything as of now, by name. */
  async collect(): Promise<readonly Series[]> {
    const now = this.clock.monotonic()
    const due = this.#sources.filter((source) => source.due <= now)
    for (const source of due) source.due = now + source.everyMs
    await Promise.all(
      due.map(async ({ fill }) => {
        try {
          await fill()
        } catch (error) {
          this.#onSourceFailed(error)
        }
      }),
    )
    return [...this.#series.values()].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
  }

  #at(name: string, labels: Labels, make: () => OwnSeries): OwnSeries {
    const key = keyOf(name, labels)
    const found = this.#series.get(key)
    if (found) return found
    if (this.#series.size >= maxSeries && labels['other'] === undefined) return this.#overflow(name, make)
    const made = make()
    this.#series.set(key, made)
    return made
  }

  #overflow(name: string, make: () => OwnSeries): OwnSeries {
    const labels: Labels = { other: 'true' }
    const key = keyOf(name, labels)
    const found = this.#series.get(key) ?? { ...make(), labels }
    this.#series.set(key, found)
    return found
  }
}

const keyOf = (name: string, labels: Labels) =>
  `${name}\n${Object.entries(labels)
    .map(([label, value]) => `${label}=${value}`)
    .sort()
    .join('\n')}`

import { type NamespaceInfo, rootNamespace } from '../../../server/contracts/epochs.ts'
import type { Telemetry } from '../../../server/telemetry/telemetry.ts'
import { entityPages, leasePages, tokenPages, type UsageOptions } from './usage.ts'

export interface UsageGaugesOptions extends UsageOptions {
  readonly telemetry: Telemetry
  /** Between the end of one count and the beginning of the next. */
  readonly periodMs: number
  readonly sealed: () => boolean
  readonly namespaces: () => readonly NamespaceInfo[]
}

/** What one reader of the metrics waits for at most: a thousand names each. The next one goes on from there. */
const pagesPerReading = 50
const betweenReadingsMs = 5000

/** vault_token_count, vault_expire_num_leases, vault_identity_num_entities: as of the last time that all were counted. */
export class UsageGauges {
  readonly #options: UsageGaugesOptions
  #counting: AsyncGenerator<void, void> | undefined
  #next = Number.NEGATIVE_INFINITY
  /** Namespaces that have a series. */
  #shown = new Set<string>()

  constructor(options: UsageGaugesOptions) {
    this.#options = options
    options.telemetry.source(() => this.#fill(), betweenReadingsMs)
  }

  async #fill(): Promise<void> {
    const { clock } = this.#options.telemetry
    if (this.#options.sealed()) {
      this.#counting = undefined
      this.#next = Number.NEGATIVE_INFINITY
      return
    }
    if (!this.#counting && clock.monotonic() < this.#next) return
    this.#counting ??= this.#count()
    try {
      for (let page = 0; page < pagesPerReading; page += 1) {
        if (!(await this.#counting.next()).done) continue
        this.#counting = undefined
        this.#next = clock.monotonic() + this.#options.periodMs
        return
      }
    } catch (error) {
      this.#counting = undefined
      throw error
    }
  }

  async *#count(): AsyncGenerator<void, void> {
    const { telemetry } = this.#options
    const total = { leases: 0, entities: 0, irrevocable: 0 }
    const shown = new Set<string>()
    for (const info of [rootNamespace, ...this.#options.namespaces()]) {
      const labels = { namespace: info.path === '' ? 'root' : info.path }
      const own = { tokens: 0, entities: 0 }
      for await (const count of tokenPages(this.#options, info)) {
        own.tokens += count
        yield
      }
      for await (const count of leasePages(this.#options, info)) {
        total.leases += count
        yield
      }
      for (const count of (await this.#options.leases.in(info).countIrrevocable()).values()) total.irrevocable += count
      for await (const count of entityPages(this.#options, info)) {
        own.entities += count
        yield
      }
      total.entities += own.entities
      telemetry.gauge('token.count', labels).set(own.tokens)
      telemetry.gauge('identity.entity.count', labels).set(own.entities)
      shown.add(labels.namespace)
    }
    for (const namespace of this.#shown) if (!shown.has(namespace)) this.#hide(namespace)
    this.#shown = shown
    telemetry.gauge('expire.num_leases').set(total.leases)
    telemetry.gauge('expire.num_irrevocable_leases').set(total.irrevocable)
    telemetry.gauge('identity.num_entities').set(total.entities)
  }

  /** One that is gone. */
  #hide(namespace: string): void {
    for (const name of ['token.count', 'identity.entity.count'])
      this.#options.telemetry.gauge(name, { namespace }).set(Number.NaN)
  }
}

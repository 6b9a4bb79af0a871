import type { Clock } from '../../lib/clock.ts'
import { formatGoTime } from '../../lib/go-time.ts'
import type { Json, JsonObject } from '../../lib/json/value.ts'
import type { VaultClient } from '../../sdk/client.ts'
import { isObject } from '../../sdk/envelope.ts'
import { jsonText } from '../output/documents.ts'
import type { Bundle } from './bundle.ts'

export const targets = ['config', 'host', 'metrics', 'replication-status', 'server-status', 'requests', 'log'] as const
export type Target = (typeof targets)[number]

export interface CaptureOptions {
  readonly client: VaultClient
  readonly bundle: Bundle
  readonly clock: Clock
  readonly targets: readonly Target[]
  readonly intervalMs: number
  readonly metricsIntervalMs: number
  readonly logFormat: string
  /** Ends it. */
  readonly until: AbortSignal
}

export interface CaptureError {
  readonly error: string
  readonly target: string
  readonly timestamp: string
}

/** Asks a server again and again what it says of itself; what it refuses is noted and the rest goes on. */
export class Capture {
  readonly #options: CaptureOptions
  readonly #collected = new Map<string, JsonObject[]>()
  readonly errors: CaptureError[] = []

  constructor(options: CaptureOptions) {
    this.#options = options
  }

  /** What does not change while it lasts. */
  async once(): Promise<void> {
    if (!this.#wants('config')) return
    await this.#noting('config', async () => {
      const data = dataOf(await this.#ask('sys/config/state/sanitized'))
      if (data) this.#options.bundle.write('config.json', `${jsonText(data)}\n`)
    })
  }

  /** Ends when `until` does, with everything written. */
  async run(): Promise<void> {
    const { intervalMs, metricsIntervalMs } = this.#options
    await Promise.all([
      this.#poll('host', intervalMs, async () => this.#add('host_info', dataOf(await this.#ask('sys/host-info')))),
      this.#poll('metrics', metricsIntervalMs, async () => this.#add('metrics', await this.#ask('sys/metrics'))),
      this.#poll('replication-status', intervalMs, async () => {
        const data = dataOf(await this.#ask('sys/replication/status'))
        if (data) this.#add('replication_status', { ...data, timestamp: this.#time() })
      }),
      this.#poll('server-status', intervalMs, async () => {
        const health = (await this.#ask('sys/health')) ?? null
        const seal = (await this.#ask('sys/seal-status')) ?? null
        this.#add('server_status', { timestamp: this.#time(), health, seal })
      }),
      this.#poll('requests', intervalMs, async () => {
        const requests = (await this.#ask('sys/in-flight-req')) ?? null
        this.#add('requests', { timestamp: this.#time(), in_flight_requests: requests })
      }),
      this.#log(),
    ])
    for (const [name, list] of this.#collected) this.#options.bundle.write(`${name}.json`, `${jsonText(list)}\n`)
  }

  #wants(target: Target): boolean {
    return this.#options.targets.includes(target)
  }

  async #poll(target: Target, everyMs: number, ask: () => Promise<void>): Promise<void> {
    const { clock, until } = this.#options
    while (this.#wants(target) && !until.aborted) {
      await this.#noting(target, ask)
      await clock.sleep(everyMs, until).catch(() => undefined)
    }
  }

  async #log(): Promise<void> {
    const { client, bundle, logFormat, until } = this.#options
    if (!this.#wants('log')) return
    await this.#noting('log', async () => {
      bundle.append('vault.log', '')
      const query = { log_level: 'trace', log_format: logFormat }
      for await (const text of client.stream('sys/monitor', query, { signal: until })) bundle.append('vault.log', text)
    })
  }

  async #ask(path: string): Promise<JsonObject | undefined> {
    const { client, until } = this.#options
    // Health says by its status what its body says too.
    const accept = [429, 472, 473, 501, 503]
    const { document } = await client.request({ method: 'GET', path, accept, signal: until })
    return isObject(document) ? document : undefined
  }

  #add(name: string, entry: JsonObject | undefined): void {
    if (entry) this.#collected.set(name, [...(this.#collected.get(name) ?? []), entry])
  }

  async #noting(target: Target, work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (this.#options.until.aborted) return
      this.errors.push({
        error: error instanceof Error ? error.message : String(error),
        target,
        timestamp: this.#time(),
      })
    }
  }

  #time(): string {
    return formatGoTime(this.#options.clock.now())
  }
}

function dataOf(document: JsonObject | undefined): JsonObject | undefined {
  const data: Json | undefined = document?.['data']
  return isObject(data) ? data : undefined
}

import * as z from 'zod'
import type { Clock } from '../../../../lib/clock.ts'
import type { Logger } from '../../../../lib/log.ts'
import type { Barrier } from '../../../barrier/barrier.ts'
import { Refusal } from '../../../contracts/request.ts'

export interface RotationConfig {
  readonly enabled: boolean
  readonly maxOperations: number
  /** 0: not by age. */
  readonly intervalMs: number
}

const configSchema = z.looseObject({ enabled: z.boolean(), maxOperations: z.number(), intervalMs: z.number() })
const leastOperations = 1_000_000
/** Below 2^32 by a tenth: far from what random nonces allow, as Vault has it. */
const mostOperations = 3_865_470_566
const leastIntervalMs = 86_400_000
const byDefault: RotationConfig = { enabled: true, maxOperations: mostOperations, intervalMs: 0 }

/** The keyring's new terms: asked for, or due by count and age. */
export class KeyRotation {
  readonly #barrier: Barrier
  readonly #clock: Clock
  readonly #log: Logger

  constructor(options: { readonly barrier: Barrier; readonly clock: Clock; readonly log: Logger }) {
    this.#barrier = options.barrier
    this.#clock = options.clock
    this.#log = options.log
  }

  status() {
    return this.#barrier.keyStatus()
  }

  /** Answers when this node has the new term; others take it over from the first row that they see of it. */
  async rotate(): Promise<void> {
    const term = await this.#barrier.rotate()
    this.#log.info('installed new encryption key', { term })
  }

  async config(): Promise<RotationConfig> {
    return (await this.#core().get('rotation', configSchema)) ?? byDefault
  }

  /** Refusal 400 for what is out of range. */
  async configure(change: Partial<RotationConfig>): Promise<void> {
    const core = this.#core()
    await core.transaction(async (tx) => {
      const config = { ...byDefault, ...(await tx.get(core, 'rotation', configSchema)), ...change }
      if (config.intervalMs !== 0 && config.intervalMs < leastIntervalMs) {
        throw new Refusal(400, 'interval must be greater or equal to 24h0m0s')
      }
      if (config.maxOperations < leastOperations || config.maxOperations > mostOperations) {
        throw new Refusal(400, `max_operations must be in the range [${leastOperations},${mostOperations}]`)
      }
      tx.put(core, 'rotation', { ...config, format: 1 })
    })
  }

  /** Any node may do it: the keyring as storage has it decides, so that two do not rotate for the same reason. */
  async rotateIfDue(): Promise<boolean> {
    const { enabled, maxOperations, intervalMs } = await this.config()
    if (!enabled) return false
    const { installedAt, encryptions } = await this.status()
    const old = intervalMs > 0 && this.#clock.now() - installedAt >= intervalMs
    if (!old && encryptions < maxOperations) return false
    await this.rotate()
    return true
  }

  #core() {
    return this.#barrier.view('core/')
  }
}

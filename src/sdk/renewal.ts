import type { Clock } from '../lib/clock.ts'
import type { RandomBytes } from '../lib/random.ts'
import type { VaultClient } from './client.ts'
import { ResponseError } from './response-error.ts'

export interface WatchedLease {
  /** Seconds, as the login or the read said. 0 = no end. */
  readonly leaseDuration: number
  readonly renewable: boolean
}

export interface LifetimeOptions {
  readonly lease: WatchedLease
  /**
   * Asks for more time and says what it got. A ResponseError 400, 404 or of an invalid token means that the lease is
   * gone; any other 403 only that this token may not renew it.
   */
  renew(signal: AbortSignal): Promise<WatchedLease>
  readonly clock: Clock
  readonly random: RandomBytes
  readonly signal: AbortSignal
  onRenewed?(lease: WatchedLease): void
  /** A try failed; the next comes in `retryMs`. */
  onError?(error: unknown, retryMs: number): void
}

/** expiring: too little is left, get a new one now. lost: the server no longer knows it. */
export type LifetimeEnd = 'expiring' | 'lost'

/**
 * Keeps one lease alive as Vault's LifetimeWatcher: renews at once, then when two thirds of the lease and a third of
 * the grace have passed; ends inside the grace (10 to 20 % of the lease, by chance, so that a fleet does not log in at
 * once). Failed tries back off from 10 s (but never longer than a third of what is left). Rejects with the signal's reason.
 */
export async function watchLifetime(options: LifetimeOptions): Promise<LifetimeEnd> {
  const { clock, signal, lease } = options
  if (lease.leaseDuration <= 0 && !lease.renewable) return untilAborted(signal)
  const state = new Countdown(options)
  if (!lease.renewable) return state.waitForGrace()
  for (let failures = 0; ; ) {
    const outcome = await tryRenew(options)
    if (outcome === 'lost') return 'lost'
    if (outcome.denied) {
      options.onError?.(outcome.error, Math.max(0, state.leftMs() - state.graceMs))
      return state.waitForGrace()
    }
    if (outcome.lease) {
      failures = 0
      state.renewed(outcome.lease)
      if (!outcome.lease.renewable) return state.waitForGrace()
    } else {
      failures += 1
    }
    const sleepMs = failures === 0 ? state.nextRenewalMs() : state.backOffMs(failures)
    const last = state.leftMs() - sleepMs <= state.graceMs
    if (!outcome.lease) options.onError?.(outcome.error, last ? Math.max(0, state.leftMs() - state.graceMs) : sleepMs)
    if (last) return state.waitForGrace()
    await sleepLong(clock, sleepMs, signal)
  }
}

/** The lifetime of a token: auth/token/renew-self with the token itself. */
export function watchToken(
  options: Omit<LifetimeOptions, 'renew' | 'lease'> & {
    client: VaultClient
    auth: { client_token: string; lease_duration: number; renewable: boolean }
    /** Seconds to ask for. */
    increment?: number
  },
): Promise<LifetimeEnd> {
  const { client, auth, increment, ...rest } = options
  return watchLifetime({
    ...rest,
    lease: { leaseDuration: auth.lease_duration, renewable: auth.renewable },
    renew: async (signal) => {
      const body = increment === undefined ? {} : { increment }
      const envelope = await client.write('auth/token/renew-self', body, { token: auth.client_token, signal })
      const renewed = envelope?.auth
      return { leaseDuration: renewed?.lease_duration ?? 0, renewable: renewed?.renewable ?? false }
    },
  })
}

type Outcome =
  | 'lost'
  | { lease: WatchedLease; denied?: undefined; error?: undefined }
  | { lease?: undefined; denied: boolean; error: unknown }

async function tryRenew(options: LifetimeOptions): Promise<Outcome> {
  try {
    const lease = await options.renew(options.signal)
    options.onRenewed?.(lease)
    return { lease }
  } catch (error) {
    if (options.signal.aborted) throw options.signal.reason
    if (!(error instanceof ResponseError)) return { error, denied: false }
    if (error.tokenInvalid || error.status === 400 || error.status === 404) return 'lost'
    return { error, denied: error.status === 403 }
  }
}

/** What is left of the lease, by time that only goes forward. */
class Countdown {
  readonly #clock: Clock
  readonly #random: RandomBytes
  readonly #signal: AbortSignal
  #endsAt: number
  #leaseMs: number
  graceMs: number

  constructor(options: LifetimeOptions) {
    this.#clock = options.clock
    this.#random = options.random
    this.#signal = options.signal
    this.#leaseMs = options.lease.leaseDuration * 1000
    this.#endsAt = this.#clock.monotonic() + this.#leaseMs
    this.graceMs = this.#newGrace()
  }

  renewed(lease: WatchedLease) {
    const leaseMs = lease.leaseDuration * 1000
    this.#endsAt = this.#clock.monotonic() + leaseMs
    // Near its longest life a lease gets shorter ones: the grace follows, or the end would come too early.
    const shorter = leaseMs < this.#leaseMs || this.#leaseMs === 0
    this.#leaseMs = leaseMs
    if (shorter) this.graceMs = this.#newGrace()
  }

  leftMs() {
    return this.#endsAt - this.#clock.monotonic()
  }

  nextRenewalMs() {
    return (this.leftMs() * 2) / 3 + this.graceMs / 3
  }

  backOffMs(failures: number) {
    const wanted = 10_000 * 2 ** Math.min(failures - 1, 5) * (0.75 + this.#chance() / 4)
    return Math.max(500, Math.min(wanted, this.leftMs() / 3))
  }

  async waitForGrace(): Promise<LifetimeEnd> {
    await sleepLong(this.#clock, this.leftMs() - this.graceMs, this.#signal)
    return 'expiring'
  }

  #newGrace() {
    return this.#leaseMs * (0.1 + 0.1 * this.#chance())
  }

  #chance() {
    return (this.#random(1)[0] ?? 0) / 256
  }
}

/** setTimeout fires at once above 2^31 ms, and 32-day leases are usual. */
async function sleepLong(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  const pieceMs = 24 * 3_600_000
  for (let left = ms; left > 0; left -= pieceMs) await clock.sleep(Math.min(left, pieceMs), signal)
}

const untilAborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => {
    if (signal.aborted) return reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })

import type { Value } from '../../gotemplate/value.ts'
import type { Clock } from '../../lib/clock.ts'
import { formatGoDuration } from '../../lib/duration.ts'
import type { RandomBytes } from '../../lib/random.ts'
import type { VaultClient } from '../../sdk/client.ts'
import type { Envelope } from '../../sdk/envelope.ts'
import { watchLifetime } from '../../sdk/renewal.ts'
import type { TokenHolder } from '../auth/token-holder.ts'
import { AgentFailure, describe, type FailureKind, kindOf } from '../failure.ts'
import { linkedAbort } from '../linked-abort.ts'
import type { AgentLog } from '../log.ts'
import type { Outage } from '../outage.ts'
import { Wakeup } from '../wakeup.ts'
import { isDeleted, listValue, type Refresh, refreshOf, secretValue } from './answer.ts'
import { kv2Name, type Mount, type Mounts, wirePath } from './mounts.ts'
import { nameOf, type SecretRequest } from './request.ts'

export interface DependencyOptions {
  readonly client: VaultClient
  readonly tokens: TokenHolder
  readonly mounts: Mounts
  readonly outage: Outage
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: AgentLog
  /** For messages: who asks. */
  readonly role: string
  readonly staticIntervalMs: number
  readonly leaseThreshold: number
  /** Tries before the first answer. */
  readonly attempts: number
  /** Init: three refusals end the agent. */
  readonly failFast: boolean
  /** Whether running out of tries ends the agent. */
  readonly exitOnFailure: boolean
  readonly onValue: (dependency: Dependency) => void
}

const refusalsBeforeFailure = 3
const longestSleepMs = 24 * 3_600_000

/** One secret that templates use: fetched, kept fresh, and kept when the server is away. */
export class Dependency {
  readonly request: SecretRequest
  readonly #o: DependencyOptions
  readonly #poked = new Wakeup()
  #value: Value
  #mount: Mount | undefined
  #lastSuccess: number | undefined
  #failingSince: number | undefined
  #error: string | undefined
  #validUntil: number | undefined
  #refresh: Refresh | undefined

  constructor(request: SecretRequest, options: DependencyOptions) {
    this.request = request
    this.#o = options
  }

  /** Undefined: not fetched yet. */
  get value(): Value {
    return this.#value
  }

  /** Times are wall clock, ms. */
  get state() {
    return {
      lastSuccess: this.#lastSuccess,
      failingSince: this.#failingSince,
      validUntil: this.#validUntil,
      error: this.#error,
    }
  }

  get mount(): Mount | undefined {
    return this.#mount
  }

  /** Fetch again now; not where each fetch makes something new (a lease, a certificate). */
  poke() {
    if (this.request.kind === 'write' || (this.#refresh !== undefined && this.#refresh.kind !== 'static')) return
    this.#poked.fire()
  }

  /** A change of `path` in `mountPath` concerns this secret. */
  isAbout(path: string, mountPath: string): boolean {
    if (!this.#mount || this.#mount.path !== mountPath) return false
    const mine = kv2Name(wirePath(this.request, this.#mount), mountPath)
    const changed = kv2Name(path, mountPath)
    return this.request.kind === 'list' ? changed.startsWith(mine) : changed === mine
  }

  /** For ever; ends by the signal or an AgentFailure. */
  async run(signal: AbortSignal): Promise<never> {
    const { clock } = this.#o
    try {
      for (let shortLived = 0; ; ) {
        const envelope = await this.#fetchUntilAnswered(signal)
        const refresh: Refresh = envelope ? refreshOf(envelope, clock.now()) : { kind: 'static' }
        this.#refresh = refresh
        if (refresh.kind !== 'renew') {
          await this.#sleepOrPoke(this.#waitMs(refresh), signal)
          continue
        }
        const began = clock.monotonic()
        await this.#renewUntilOver(refresh, signal)
        // Leases that end as soon as they come must not become a stream of new credentials.
        shortLived = clock.monotonic() - began < 1000 ? shortLived + 1 : 0
        if (shortLived > 0) await clock.sleep(Math.min(60_000, 500 * 2 ** shortLived), signal)
      }
    } finally {
      this.#o.outage.forget(this)
    }
  }

  async #fetchUntilAnswered(signal: AbortSignal): Promise<Envelope | undefined> {
    let refusals = 0
    for (let failures = 0; ; failures++) {
      const token = await this.#o.tokens.wait(signal)
      try {
        const envelope = await this.#fetch(token, signal)
        this.#answered(envelope)
        return envelope
      } catch (error) {
        if (signal.aborted) throw signal.reason
        const kind = kindOf(error)
        if (kind === 'token') this.#o.tokens.reject(token)
        if (kind === 'refused') refusals += 1
        if (kind === 'token' && failures === 0) continue
        await this.#sleepOrPoke(this.#failed(error, { kind, failures, refusals }), signal)
      }
    }
  }

  async #fetch(token: string, signal: AbortSignal): Promise<Envelope | undefined> {
    const { client, mounts } = this.#o
    const { kind, query, data } = this.request
    this.#mount = await mounts.of(this.request.path, { token, signal })
    const path = wirePath(this.request, this.#mount)
    if (kind === 'list') return client.list(path, { token, signal })
    const envelope =
      kind === 'read'
        ? await client.read(path, query, { token, signal })
        : await client.write(path, data, { token, signal })
    if (kind === 'read' && (!envelope?.data || isDeleted(envelope))) throw new Error(`no secret exists at ${path}`)
    if (!envelope) throw new Error(`${path} answered without a secret`)
    return envelope
  }

  #answered(envelope: Envelope | undefined) {
    const { clock, outage, onValue } = this.#o
    this.#value = this.request.kind === 'list' || !envelope ? listValue(envelope) : secretValue(envelope)
    this.#lastSuccess = clock.now()
    this.#validUntil =
      envelope?.lease_id && envelope.lease_duration > 0 ? clock.now() + envelope.lease_duration * 1000 : undefined
    this.#failingSince = undefined
    this.#error = undefined
    outage.arm()
    outage.answered(this)
    onValue(this)
  }

  /** Says what happened and returns how long to wait before the next try. */
  #failed(error: unknown, o: { kind: FailureKind; failures: number; refusals: number }): number {
    const { clock, outage, log, attempts, failFast, exitOnFailure } = this.#o
    const text = this.#explain(error, o.kind)
    const first = this.#error !== text
    this.#error = text
    this.#failingSince ??= this.#lastSuccess === undefined ? undefined : clock.now()
    if (o.kind === 'outage') outage.failed(this, error, () => this.poke())
    else outage.answered(this)
    const retryMs = this.#retryMs(o)
    const line = `(view) ${nameOf(this.request)}: ${text} (retry attempt ${o.failures + 1} after "${formatGoDuration(retryMs)}")`
    if (this.#lastSuccess !== undefined) {
      if (first && o.kind !== 'outage') log.warn(line)
      else log.debug(line)
      return retryMs
    }
    const refusedForGood = failFast && o.refusals >= refusalsBeforeFailure
    if (refusedForGood || (exitOnFailure && o.failures + 1 >= attempts)) throw new AgentFailure(text)
    log.warn(line)
    return retryMs
  }

  #retryMs({ kind, failures, refusals }: { kind: FailureKind; failures: number; refusals: number }): number {
    if (this.#lastSuccess !== undefined && kind !== 'refused') {
      return Math.round(Math.min(5000, 1000 * 1.5 ** failures) * (0.75 + this.#chance() / 4))
    }
    if (this.#o.failFast && kind === 'refused') return 1000 * 2 ** refusals
    return Math.min(60_000, 250 * 2 ** failures)
  }

  #explain(error: unknown, kind: FailureKind): string {
    const text = describe(error)
    if (kind !== 'refused') return text
    const path = wirePath(this.request, this.#mount)
    const verb = { read: 'reading', list: 'listing', write: 'writing' }[this.request.kind]
    const policies = this.#o.tokens.state.policies?.join(', ')
    const who = `role "${this.#o.role}"${policies ? ` (policies ${policies})` : ''}`
    if (!/^\d|^status/.test(text)) return `${verb} ${path} as ${who}: ${text}`
    const hint = text.startsWith('403') ? `; no policy of it allows that on ${path}` : ''
    return `${verb} ${path} as ${who} was refused: ${text}${hint}`
  }

  #waitMs(refresh: Exclude<Refresh, { kind: 'renew' }>): number {
    const { staticIntervalMs, leaseThreshold } = this.#o
    if (refresh.kind === 'static') return staticIntervalMs * (0.85 + this.#chance() / 10)
    if (refresh.kind === 'exact') return refresh.seconds * 1000
    return refresh.seconds * 1000 * Math.max(0.01, leaseThreshold - 0.05 + this.#chance() / 10)
  }

  /** Until the server gives no more time for this lease. */
  async #renewUntilOver(lease: { leaseId: string; seconds: number }, signal: AbortSignal): Promise<void> {
    const { client, clock, random, tokens, outage, log } = this.#o
    await watchLifetime({
      lease: { leaseDuration: lease.seconds, renewable: true },
      clock,
      random,
      signal,
      renew: async (stop) => {
        const token = await tokens.wait(stop)
        const envelope = await client.write('sys/leases/renew', { lease_id: lease.leaseId }, { token, signal: stop })
        return { leaseDuration: envelope?.lease_duration ?? 0, renewable: envelope?.renewable ?? false }
      },
      onRenewed: ({ leaseDuration }) => {
        outage.answered(this)
        this.#validUntil = clock.now() + leaseDuration * 1000
        this.#lastSuccess = clock.now()
        this.#failingSince = undefined
      },
      onError: (error, retryMs) => {
        if (kindOf(error) === 'outage') outage.failed(this, error)
        this.#failingSince ??= clock.now()
        log.warn(`(view) ${nameOf(this.request)}: the lease could not be renewed`, {
          error: describe(error),
          backoff: formatGoDuration(Math.round(retryMs)),
        })
      },
    })
  }

  /** Setting a timer for more than 2^31 ms fires at once, and leases of 32 days are usual: a day at a time. */
  async #sleepOrPoke(ms: number, signal: AbortSignal): Promise<void> {
    for (let left = ms; left > 0; left -= longestSleepMs) {
      if (await this.#pokedWithin(Math.min(left, longestSleepMs), signal)) return
    }
  }

  async #pokedWithin(ms: number, signal: AbortSignal): Promise<boolean> {
    const wait = linkedAbort(signal)
    const slept = this.#o.clock.sleep(ms, wait.signal).then(() => false)
    const poked = this.#poked.wait(wait.signal).then(() => true)
    try {
      return await Promise.race([slept, poked])
    } finally {
      wait.stop(new Error('no longer waiting'))
      await Promise.allSettled([slept, poked])
    }
  }

  #chance(): number {
    return (this.#o.random(1)[0] ?? 0) / 256
  }
}

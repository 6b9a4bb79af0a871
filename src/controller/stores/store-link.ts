import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/log.ts'
import type { RandomBytes } from '../../lib/random.ts'
import {
  ProviderError,
  type RemoteRef,
  type SecretReader,
  type StoreNotice,
  type StoreSession,
} from '../providers/provider.ts'
import type { OpenStore, Outage } from '../reconcilers/context.ts'

export interface StoreLinkOptions {
  /** Reads the store's spec and what it refers to anew. */
  open(): Promise<StoreSession>
  /** Values changed: at a location, or ('reset') anywhere. */
  noticed(notice: Exclude<StoreNotice, 'lost'>): void
  /** An outage began or ended. */
  healthChanged(): void
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: Logger
}

const firstProbeMs = 500
const longestProbeMs = 2000
/** Now and then the spec's references are read again: a new CA certificate looks like an outage until then. */
const reopenEvery = 10
const watchAgainMs = 5000

/**
 * The one connection to a store: session, circuit breaker and change notices. During an outage nobody but a single probe asks
 * the store, at most every 2 s, and its event stream connecting again brings the next probe forward; so recovery is seen
 * within seconds however many ExternalSecrets wait.
 */
export class StoreLink implements OpenStore {
  readonly #options: StoreLinkOptions
  readonly #ended = new AbortController()
  #session: Promise<StoreSession> | undefined
  #watching: AbortController | undefined
  #outage: Outage | undefined
  #hurry: AbortController | undefined
  #ready = false

  constructor(options: StoreLinkOptions) {
    this.#options = options
  }

  get ready(): boolean {
    return this.#ready && !this.#outage
  }

  get outage(): Outage | undefined {
    return this.#outage
  }

  async check(): Promise<'ready' | 'unknown'> {
    if (this.#outage) throw this.#outageError(this.#outage)
    return this.#guarded(() => this.#checkNow())
  }

  async get(ref: RemoteRef): Promise<Uint8Array | undefined> {
    if (this.#outage) throw this.#outageError(this.#outage)
    return this.#guarded(async () => (await this.#reader()).get(ref, this.#ended.signal))
  }

  async locate(ref: RemoteRef): Promise<string> {
    return (await this.#reader()).locate(ref)
  }

  async close(): Promise<void> {
    this.#ended.abort(new Error('the store is no longer used'))
    await this.#closeSession()
  }

  async #checkNow(): Promise<'ready' | 'unknown'> {
    this.#ready = false
    const session = await this.#opened()
    const answer = await session.check(this.#ended.signal)
    this.#ready = true
    this.#watch(session)
    return answer
  }

  async #reader(): Promise<SecretReader> {
    const { reader } = await this.#opened()
    if (!reader) throw new ProviderError('invalid', 'this provider cannot be read from')
    return reader
  }

  #opened(): Promise<StoreSession> {
    if (this.#session) return this.#session
    const opening = this.#options.open()
    this.#session = opening
    opening.then(
      (session) => {
        if (this.#ended.signal.aborted) void session.close?.()
      },
      () => {
        if (this.#session === opening) this.#session = undefined
      },
    )
    return opening
  }

  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (error instanceof ProviderError && error.code === 'outage') this.#trip(error)
      throw error
    }
  }

  #trip(error: ProviderError): void {
    const reason = error.reason ?? 'StoreUnreachable'
    if (this.#outage) {
      if (this.#outage.reason === reason) return
      this.#outage = { ...this.#outage, reason, message: error.message }
      this.#options.healthChanged()
      return
    }
    if (this.#ended.signal.aborted) return
    this.#outage = { reason, sinceMs: this.#options.clock.now(), message: error.message }
    this.#options.log.warn('store.outage', { reason, cause: error.message })
    this.#options.healthChanged()
    void this.#probeUntilAnswered()
  }

  #outageError(outage: Outage): ProviderError {
    return new ProviderError('outage', outage.message, { reason: outage.reason })
  }

  async #probeUntilAnswered(): Promise<void> {
    for (let tries = 0; !this.#ended.signal.aborted; tries += 1) {
      await this.#pause(Math.min(firstProbeMs * 2 ** Math.min(tries, 8), longestProbeMs))
      if (this.#ended.signal.aborted) return
      if (tries % reopenEvery === reopenEvery - 1) await this.#closeSession()
      try {
        await this.#checkNow()
      } catch (error) {
        if (!(error instanceof ProviderError) || error.code === 'outage') {
          if (error instanceof ProviderError) this.#trip(error)
          continue
        }
        // It answers, if only with a refusal: that is the reconciler's to tell.
      }
      break
    }
    if (this.#ended.signal.aborted) return
    this.#outage = undefined
    this.#options.log.info('store.answers_again')
    // Whatever was told meanwhile was not read.
    this.#options.noticed('reset')
    this.#options.healthChanged()
  }

  /** Jittered; ends early when the event stream is back. */
  async #pause(ms: number): Promise<void> {
    const { clock, random } = this.#options
    const hurry = new AbortController()
    this.#hurry = hurry
    const chance = (random(1)[0] ?? 0) / 256
    const until = AbortSignal.any([hurry.signal, this.#ended.signal])
    await clock.sleep(ms * (0.75 + chance / 4), until).catch(() => undefined)
    this.#hurry = undefined
  }

  #watch(session: StoreSession): void {
    if (this.#watching || !session.reader?.watch) return
    const watching = new AbortController()
    this.#watching = watching
    void this.#follow(session.reader, AbortSignal.any([watching.signal, this.#ended.signal]))
  }

  async #follow(reader: SecretReader, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        for await (const notice of reader.watch?.(signal) ?? []) this.#hear(notice)
      } catch (error) {
        const cause = error instanceof Error ? error.message : 'unknown'
        if (!signal.aborted) this.#options.log.warn('store.watch_failed', { cause })
      }
      await this.#options.clock.sleep(watchAgainMs, signal).catch(() => undefined)
    }
  }

  #hear(notice: StoreNotice): void {
    if (notice === 'lost') {
      // Perhaps only the stream broke: ask, rather than wait for the next reader to find out.
      if (!this.#outage) void this.#guarded(() => this.#checkNow()).catch(() => undefined)
      return
    }
    // What it tells during an outage is covered by the 'reset' at the outage's end.
    if (this.#outage) this.#hurry?.abort(new Error('the store sends events again'))
    else this.#options.noticed(notice)
  }

  async #closeSession(): Promise<void> {
    this.#watching?.abort(new Error('the session is closed'))
    this.#watching = undefined
    const session = this.#session
    this.#session = undefined
    const opened = await session?.catch(() => undefined)
    await opened?.close?.().catch(() => undefined)
  }
}

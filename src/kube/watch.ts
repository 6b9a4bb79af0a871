/** List and watch for ever: the reflector behind `Reader.watch`. */
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/log.ts'
import type { RandomBytes } from '../lib/random.ts'
import { apiError } from './answers.ts'
import { ApiError, type KubeObject, type ListOptions, type ResourceType, type WatchEvent } from './client.ts'
import { collectionPath, type Query, selectors, withQuery } from './resource-path.ts'
import { jsonLines } from './transport/ndjson.ts'
import type { Timings } from './transport/timings.ts'
import { type KubeResponse, readText } from './transport/transport.ts'
import { Attempt } from './watch/attempt.ts'
import { fraction } from './watch/backoff.ts'
import { KnownObjects, type Listing } from './watch/known-objects.ts'
import { Pace } from './watch/pace.ts'
import type { Page } from './watch/pages.ts'
import { parseFrame } from './watch/watch-frames.ts'

export interface WatchSource<T extends KubeObject> {
  readonly type: ResourceType<T>
  readonly options: ListOptions
  /** GETs a path; resolves when the head of the answer is there. */
  open(path: string, signal: AbortSignal): Promise<KubeResponse>
  pages(signal: AbortSignal): AsyncIterable<Page<T>>
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: Logger
  readonly timings: Timings
}

/** Streaming lists that took this long, or so often, and did not come to their end may never do: pages keep what came. */
const slowListMs = 60_000
const brokenLists = 2

/**
 * See `Reader.watch`. An object that vanished during a gap comes as `deleted` with its last known metadata and nothing
 * else. After an error, delays of 1 to 30 s. Ends, without throwing, when `signal` aborts.
 */
export async function* watchForever<T extends KubeObject>(
  source: WatchSource<T>,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent<T>, void, undefined> {
  const { clock, timings } = source
  const pace = new Pace(source)
  const reflector = new Reflector(source)
  while (!signal.aborted) {
    const startedAt = clock.monotonic()
    const attempt = new Attempt({ clock, outer: signal, silentMs: timings.silentMs })
    let failure: unknown
    try {
      for await (const batch of reflector.stream(attempt)) yield* untilAborted(batch, signal)
    } catch (error) {
      failure = attempt.silent ? new Error(`no byte for ${timings.silentMs / 1000} s`) : error
    } finally {
      attempt.end()
    }
    if (signal.aborted) return
    const endedAt = clock.monotonic()
    const livedMs = endedAt - startedAt
    const delayMs = pace.after({ failure, endedAt, livedMs, advanced: reflector.advanced })
    const again = reflector.ended(failure, livedMs)
    if (again === 'later' && delayMs > 0) await pause(clock, delayMs, signal)
  }
}

function* untilAborted<E>(batch: readonly E[], signal: AbortSignal): Generator<E, void, undefined> {
  for (const event of batch) {
    if (signal.aborted) return
    yield event
  }
}

/** What one watch knows from one connection to the next. */
class Reflector<T extends KubeObject> {
  readonly #source: WatchSource<T>
  readonly #known: KnownObjects<T>
  /** Where to go on; undefined: the whole set is needed first. */
  #resourceVersion: string | undefined
  /** Whether the server knows streaming lists (sendInitialEvents, Kubernetes 1.27 and later). */
  #streams = true
  /** Streaming lists that began and were cut, one after the other. */
  #broken = 0
  #listing: Listing | undefined
  /** Whether the last connection brought us further. */
  advanced = false

  constructor(source: WatchSource<T>) {
    this.#source = source
    this.#known = new KnownObjects(source.type)
  }

  /** One connection (and, if needed, the list before it); ends when the server ends it. */
  async *stream(attempt: Attempt): AsyncGenerator<readonly WatchEvent<T>[], void, undefined> {
    this.advanced = false
    const initial = this.#resourceVersion === undefined && this.#streams && this.#broken < brokenLists
    if (this.#resourceVersion === undefined && !initial) yield* this.#listPages(attempt)
    this.#listing = undefined
    const { type, options } = this.#source
    const path = withQuery(collectionPath(type, options), this.#query(initial))
    const response = await attempt.within(this.#source.open(path, attempt.signal))
    if (response.status !== 200) {
      const text = await readText(attempt.watched(response.body), 1024 * 1024)
      throw apiError(response.status, text, response.headers['retry-after'])
    }
    // While the initial events come; a cut before their end means starting over, for there is no version to go on from.
    if (initial) this.#listing = this.#known.beginList()
    for await (const lines of jsonLines(attempt.watched(response.body))) {
      const batch: WatchEvent<T>[] = []
      try {
        for (const line of lines) this.#take(line, batch)
      } catch (error) {
        // What came before it is good.
        yield batch
        throw error
      }
      if (batch.length > 0) yield batch
    }
  }

  /** Notes what the end of a connection means, and says whether the next may come without a delay. */
  ended(failure: unknown, livedMs: number): 'at once' | 'later' {
    const { type, log } = this.#source
    const listed = this.#resourceVersion !== undefined
    if (listed) this.#broken = 0
    else if (this.#listing) this.#broken += livedMs < slowListMs ? 1 : brokenLists
    if (failure === undefined) return 'later'
    const fields = { kind: type.kind, error: failure instanceof Error ? failure.message : String(failure) }
    const status = failure instanceof ApiError ? failure.status : undefined
    if (status === 410) {
      this.#resourceVersion = undefined
      log.info('kube.watch.expired', fields)
      return 'later'
    }
    // Older servers refuse the parameters of the streaming list: 400 or 422.
    if ((status === 400 || status === 422) && !listed && this.#streams) {
      this.#streams = false
      log.debug('kube.watch.no_streaming_list', fields)
      return 'at once'
    }
    log.warn('kube.watch.failed', fields)
    return 'later'
  }

  #take(line: string, batch: WatchEvent<T>[]): void {
    const frame = parseFrame<T>(line)
    if (frame.type === 'error') throw frame.error
    if (frame.type !== 'bookmark') {
      batch.push(...this.#known.note(frame, this.#listing))
      if (!this.#listing) this.#advance(frame.object.metadata.resourceVersion)
      return
    }
    if (this.#listing && !frame.initialEnd) return
    this.#advance(frame.resourceVersion)
    if (this.#listing) batch.push(...this.#known.endList(this.#listing), { type: 'synced' })
    this.#listing = undefined
  }

  async *#listPages(attempt: Attempt): AsyncGenerator<readonly WatchEvent<T>[], void, undefined> {
    let listing = this.#known.beginList()
    let resourceVersion: string | undefined
    for await (const page of this.#source.pages(attempt.signal)) {
      if (page.first) listing = this.#known.beginList()
      resourceVersion = page.resourceVersion
      yield page.items.flatMap((object) => this.#known.note({ type: 'upserted', object }, listing))
    }
    yield [...this.#known.endList(listing), { type: 'synced' }]
    this.#advance(resourceVersion)
  }

  #advance(resourceVersion: string | undefined): void {
    this.#resourceVersion = resourceVersion ?? this.#resourceVersion
    this.advanced = true
  }

  #query(initial: boolean): Query {
    const { options, random } = this.#source
    return {
      watch: 'true',
      allowWatchBookmarks: 'true',
      // Jitter: watches that began together must not all end together.
      timeoutSeconds: String(300 + Math.floor(300 * fraction(random))),
      ...selectors(options),
      ...(initial
        ? { sendInitialEvents: 'true', resourceVersionMatch: 'NotOlderThan' }
        : { resourceVersion: this.#resourceVersion }),
    }
  }
}

async function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  try {
    await clock.sleep(ms, signal)
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

/** List and watch for ever: the reflector behind `Reader.watch`. */
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/log.ts'
import type { RandomBytes } from '../lib/random.ts'
import { apiError } from './answers.ts'
import {
  ApiError,
  type KubeList,
  type KubeObject,
  type ListOptions,
  type ResourceType,
  type WatchEvent,
} from './client.ts'
import { collectionPath, type Query, selectors, withQuery } from './resource-path.ts'
import { jsonLines } from './transport/ndjson.ts'
import { type KubeResponse, readText } from './transport/transport.ts'
import { Attempt } from './watch/attempt.ts'
import { Backoff, fraction } from './watch/backoff.ts'
import { KnownObjects } from './watch/known-objects.ts'
import { type Frame, parseFrame } from './watch/watch-frames.ts'

export interface WatchSource<T extends KubeObject> {
  readonly type: ResourceType<T>
  readonly options: ListOptions
  /** GETs a path; resolves when the head of the answer is there. */
  open(path: string, signal: AbortSignal): Promise<KubeResponse>
  list(signal: AbortSignal): Promise<KubeList<T>>
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: Logger
}

/** No byte for this long: the link may be half open. Servers send bookmarks about each minute. */
const silentMs = 90_000
/** A stream that ended sooner than this, without an event, counts as a failure: else we would ask in a tight loop. */
const shortStreamMs = 5_000

/**
 * See `Reader.watch`. An object that vanished during a gap comes as `deleted` with its last known metadata and nothing
 * else. After an error, delays of 1 to 30 s. Ends, without throwing, when `signal` aborts.
 */
export async function* watchForever<T extends KubeObject>(
  source: WatchSource<T>,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent<T>, void, undefined> {
  const backoff = new Backoff({ firstMs: 1000, maxMs: 30_000, random: source.random })
  const state: ReflectorState<T> = { known: new KnownObjects(source.type), resourceVersion: undefined, streams: true }
  let hurried = false
  while (!signal.aborted) {
    const startedAt = source.clock.monotonic()
    const { events, failure } = yield* guarded(source, state, signal)
    if (signal.aborted) return
    if (events > 0) {
      backoff.reset()
      hurried = false
    }
    const short = events === 0 && source.clock.monotonic() - startedAt < shortStreamMs
    if (failure === undefined && !short) continue
    const delayMs = delayOf(failure, backoff)
    // Once only: a server that always answers 410 is not asked in a tight loop.
    const next = failure === undefined ? 'later' : interpretFailure(source, state, failure)
    hurried = !hurried && next === 'at once'
    if (!hurried) await pause(source.clock, delayMs, signal)
  }
}

/** `oneStream` whose failure is a result; counts the events that it gave. */
async function* guarded<T extends KubeObject>(
  source: WatchSource<T>,
  state: ReflectorState<T>,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent<T>, { events: number; failure: unknown }, undefined> {
  const attempt = new Attempt({ clock: source.clock, outer: signal, silentMs })
  let events = 0
  try {
    for await (const event of oneStream(source, state, attempt)) {
      events += 1
      yield event
    }
    return { events, failure: undefined }
  } catch (error) {
    return { events, failure: attempt.silent ? new Error(`no byte for ${silentMs / 1000} s`) : error }
  } finally {
    attempt.end()
  }
}

interface ReflectorState<T extends KubeObject> {
  readonly known: KnownObjects<T>
  /** Where to go on; undefined: the whole set is needed first. */
  resourceVersion: string | undefined
  /** Whether the server knows streaming lists (sendInitialEvents, Kubernetes 1.27 and later). */
  streams: boolean
}

/** One connection (and, if needed, the list before it); ends when the server ends it. */
async function* oneStream<T extends KubeObject>(
  source: WatchSource<T>,
  state: ReflectorState<T>,
  attempt: Attempt,
): AsyncGenerator<WatchEvent<T>, void, undefined> {
  const initial = state.resourceVersion === undefined && state.streams
  if (state.resourceVersion === undefined && !initial) yield* pagedList(source, state, attempt)
  // While the initial events come; a cut before their end means starting over, for there is no version to go on from.
  let listing = initial ? state.known.beginList() : undefined
  for await (const frame of frames(source, attempt, streamQuery(source, state, initial))) {
    if (frame.type === 'error') throw frame.error
    if (frame.type !== 'bookmark') {
      state.known.note(frame, listing)
      if (!listing) state.resourceVersion = frame.object.metadata.resourceVersion ?? state.resourceVersion
      yield frame
      continue
    }
    if (listing && !frame.initialEnd) continue
    state.resourceVersion = frame.resourceVersion ?? state.resourceVersion
    if (!listing) continue
    yield* state.known.endList(listing)
    listing = undefined
    yield { type: 'synced' }
  }
}

async function* pagedList<T extends KubeObject>(
  source: WatchSource<T>,
  state: ReflectorState<T>,
  attempt: Attempt,
): AsyncGenerator<WatchEvent<T>, void, undefined> {
  const list = await source.list(attempt.signal)
  const listing = state.known.beginList()
  for (const object of list.items) {
    state.known.note({ type: 'upserted', object }, listing)
    yield { type: 'upserted', object }
  }
  yield* state.known.endList(listing)
  state.resourceVersion = list.resourceVersion
  yield { type: 'synced' }
}

async function* frames<T extends KubeObject>(
  source: WatchSource<T>,
  attempt: Attempt,
  query: Query,
): AsyncGenerator<Frame<T>, void, undefined> {
  const path = withQuery(collectionPath(source.type, source.options), query)
  const response = await attempt.within(source.open(path, attempt.signal))
  if (response.status !== 200) {
    throw apiError(response.status, await readText(response.body, 1024 * 1024), response.headers['retry-after'])
  }
  for await (const line of jsonLines(attempt.watched(response.body))) yield parseFrame<T>(line)
}

function streamQuery<T extends KubeObject>(source: WatchSource<T>, state: ReflectorState<T>, initial: boolean): Query {
  return {
    watch: 'true',
    allowWatchBookmarks: 'true',
    // Jitter: watches that began together must not all end together.
    timeoutSeconds: String(300 + Math.floor(300 * fraction(source.random))),
    ...selectors(source.options),
    ...(initial
      ? { sendInitialEvents: 'true', resourceVersionMatch: 'NotOlderThan' }
      : { resourceVersion: state.resourceVersion }),
  }
}

/** Notes what the failure means and whether the next try may come at once. */
function interpretFailure<T extends KubeObject>(
  source: WatchSource<T>,
  state: ReflectorState<T>,
  failure: unknown,
): 'at once' | 'later' {
  const fields = { kind: source.type.kind, error: failure instanceof Error ? failure.message : String(failure) }
  const status = failure instanceof ApiError ? failure.status : undefined
  if (status === 410) {
    state.resourceVersion = undefined
    source.log.info('kube.watch.expired', fields)
    return 'at once'
  }
  // Older servers refuse the parameters of the streaming list: 400 or 422.
  if ((status === 400 || status === 422) && state.resourceVersion === undefined && state.streams) {
    state.streams = false
    source.log.debug('kube.watch.no_streaming_list', fields)
    return 'at once'
  }
  source.log.warn('kube.watch.failed', fields)
  return 'later'
}

function delayOf(failure: unknown, backoff: Backoff): number {
  const delay = backoff.next()
  return failure instanceof ApiError ? Math.max(delay, Math.min(failure.retryAfterMs ?? 0, 60_000)) : delay
}

async function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  try {
    await clock.sleep(ms, signal)
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

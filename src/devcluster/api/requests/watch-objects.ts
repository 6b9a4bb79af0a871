/** Watches: what there is, then what changes. */
import type { KubeObject } from '../../../kube/client.ts'
import type { Clock } from '../../../lib/clock.ts'
import { externalOf, groupVersionOf, type Resource } from '../resource.ts'
import { badRequest, expired } from '../status.ts'
import type { ObjectStore, StoreEvent } from '../store/object-store.ts'
import { every, type WatchFrame, WatchQueue } from '../store/watch-stream.ts'
import type { RequestContext } from './context.ts'
import { type Filter, filterOf, parseVersion, tooLargeVersion } from './object-reader.ts'

export interface WatchTools {
  readonly store: ObjectStore
  readonly clock: Clock
  readonly bookmarkIntervalMs: number
  /** How an object is shown: as it is, or as a table. */
  readonly present: (object: KubeObject) => unknown
  /** Ends all watches when the server stops. */
  readonly stopping: AbortSignal
}

const longestWatchMs = 3_600_000

/** The events as JSON lines, until the client, the timeout or the server ends it. */
export function watchObjects(tools: WatchTools, context: RequestContext): AsyncIterable<string> {
  const { store } = tools
  const { resource, query } = context
  const filter = filterOf(context)
  const queue = new WatchQueue()
  const bookmark = (version: number, annotations?: Record<string, string>) =>
    queue.push({ type: 'BOOKMARK', object: tools.present(bookmarkObject(resource, version, annotations)) })
  const show = (event: StoreEvent) => {
    const frame = event.collection === resource.collection ? frameFor(event, resource, filter) : undefined
    if (frame) queue.push({ type: frame.type, object: tools.present(frame.object) })
  }
  const start = startOf(store, query)
  if (start.initial) {
    for (const stored of store.list(resource.collection)) {
      const object = externalOf(resource, stored)
      if (filter.matches(object)) queue.push({ type: 'ADDED', object: tools.present(object) })
    }
    if (start.markEnd) bookmark(store.version, { 'k8s.io/initial-events-end': 'true' })
  } else {
    const missed = store.since(start.version)
    if (!missed) {
      queue.push({ type: 'ERROR', object: tooOld(start.version, store.oldest).toStatus() })
      queue.end()
      return queue.drain()
    }
    missed.forEach(show)
  }
  const stops = [store.subscribe(show)]
  if (query.get('allowWatchBookmarks') === 'true')
    stops.push(every(tools.clock, tools.bookmarkIntervalMs, () => bookmark(store.version)))
  return endedBy(tools, context, queue, stops)
}

/** Client, timeout or server: whoever ends it first also ends what feeds it. */
function endedBy(
  tools: WatchTools,
  context: RequestContext,
  queue: WatchQueue,
  stops: readonly (() => void)[],
): AsyncIterable<string> {
  const seconds = Number(context.query.get('timeoutSeconds') ?? '0')
  const signals = [tools.stopping, ...(context.signal ? [context.signal] : [])]
  const end = () => {
    for (const stop of stops) stop()
    cancelTimeout()
    for (const signal of signals) signal.removeEventListener('abort', end)
    queue.end()
  }
  const cancelTimeout = tools.clock.after(seconds > 0 ? seconds * 1000 : longestWatchMs, end)
  for (const signal of signals) signal.addEventListener('abort', end, { once: true })
  if (signals.some((signal) => signal.aborted)) end()
  return cleanedUp(queue.drain(), end)
}

async function* cleanedUp(lines: AsyncIterable<string>, cleanUp: () => void): AsyncIterable<string> {
  try {
    yield* lines
  } finally {
    cleanUp()
  }
}

function startOf(store: ObjectStore, query: URLSearchParams): { initial: boolean; markEnd: boolean; version: number } {
  const asked = query.get('resourceVersion') ?? ''
  const version = asked === '' ? 0 : parseVersion(asked)
  if (query.get('sendInitialEvents') === 'true') {
    if (query.get('resourceVersionMatch') !== 'NotOlderThan')
      throw badRequest(
        'resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
      )
    if (version > store.version) throw tooLargeVersion(version, store.version)
    return { initial: true, markEnd: query.get('allowWatchBookmarks') === 'true', version }
  }
  return { initial: version === 0, markEnd: false, version }
}

const tooOld = (version: number, oldest: number) => expired(`too old resource version: ${version} (${oldest})`)

function bookmarkObject(resource: Resource, version: number, annotations?: Record<string, string>): KubeObject {
  return {
    kind: resource.kind,
    apiVersion: groupVersionOf(resource),
    metadata: { resourceVersion: String(version), ...(annotations ? { annotations } : {}) },
  }
}

/** An object that enters the filter is added, one that leaves it deleted. */
function frameFor(
  event: StoreEvent,
  resource: Resource,
  filter: Filter,
): { type: WatchFrame['type']; object: KubeObject } | undefined {
  const object = externalOf(resource, event.object)
  const was = event.before !== undefined && filter.matches(externalOf(resource, event.before))
  const is = event.type !== 'DELETED' && filter.matches(object)
  if (was && is) return { type: 'MODIFIED', object }
  if (is) return { type: 'ADDED', object }
  return was ? { type: 'DELETED', object } : undefined
}

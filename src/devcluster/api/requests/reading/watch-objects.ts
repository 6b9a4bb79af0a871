/** Watches: what there is, then what changes. */
import type { KubeObject } from '../../../../kube/client.ts'
import type { Clock } from '../../../../lib/clock.ts'
import { externalOf, groupVersionOf, type Resource } from '../../resource.ts'
import { expired, type StatusError } from '../../status.ts'
import type { ObjectStore, StoreEvent } from '../../store/object-store.ts'
import { every, type WatchFrame, WatchQueue } from '../../store/watch-stream.ts'
import type { RequestContext } from '../context.ts'
import {
  type Filter,
  type ListOptions,
  parseVersion,
  readListOptions,
  tooLargeVersion,
  unreadableVersion,
} from './list-options.ts'
import type { Presenter } from './presenter.ts'

export interface WatchTools {
  readonly store: ObjectStore
  readonly clock: Clock
  readonly bookmarkIntervalMs: number
  readonly presenter: Presenter
  /** Ends all watches when the server stops. */
  readonly stopping: AbortSignal
}

const longestWatchMs = 3_600_000
/** So long before its end a watch tells once more where it has got to. */
const lastBookmarkMs = 2_000

/** The events as JSON lines, until the client, the timeout or the server ends it. */
export function watchObjects(tools: WatchTools, context: RequestContext): AsyncIterable<string> {
  const { store, presenter } = tools
  const { resource } = context
  const options = readListOptions(context)
  const { filter } = options
  const queue = new WatchQueue()
  const start = startOf(store, options)
  if ('refused' in start) {
    queue.push({ type: 'ERROR', object: start.refused.toStatus() })
    queue.end()
    return queue.drain()
  }
  let reached = start.after
  const bookmark = (annotations?: Record<string, string>) => {
    const object = bookmarkObject(resource, Math.max(reached, store.version), annotations)
    queue.push({ type: 'BOOKMARK', object: presenter.bookmark(object) })
  }
  const show = (event: StoreEvent) => {
    // A version that is yet to come is waited for.
    if (event.collection !== resource.collection || event.version <= start.after) return
    reached = event.version
    const frame = frameFor(event, resource, filter)
    if (frame) queue.push({ type: frame.type, object: presenter.event(frame.object) })
  }
  if (start.initial) {
    for (const stored of store.list(resource.collection)) {
      const object = externalOf(resource, stored)
      if (filter.matches(object)) queue.pushInitial({ type: 'ADDED', object: presenter.event(object) })
    }
    if (options.sendInitialEvents && options.bookmarks) bookmark({ 'k8s.io/initial-events-end': 'true' })
  } else {
    for (const event of store.since(start.after) ?? []) show(event)
  }
  const stops = [store.subscribe(show)]
  const lastsMs = options.timeoutSeconds > 0 ? options.timeoutSeconds * 1000 : longestWatchMs
  if (options.bookmarks) {
    stops.push(every(tools.clock, tools.bookmarkIntervalMs, () => bookmark()))
    if (lastsMs > lastBookmarkMs) stops.push(tools.clock.after(lastsMs - lastBookmarkMs, () => bookmark()))
  }
  return endedBy(tools, context, lastsMs, queue, stops)
}

/** Client, timeout or server: whoever ends it first also ends what feeds it. */
function endedBy(
  tools: WatchTools,
  context: RequestContext,
  lastsMs: number,
  queue: WatchQueue,
  stops: readonly (() => void)[],
): AsyncIterable<string> {
  const signals = [tools.stopping, ...(context.signal ? [context.signal] : [])]
  const end = () => {
    for (const stop of stops) stop()
    cancelTimeout()
    for (const signal of signals) signal.removeEventListener('abort', end)
    queue.end()
  }
  const cancelTimeout = tools.clock.after(lastsMs, end)
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

/** Whether all that there is comes first; the version after which changes are told; or why there is nothing to tell. */
type Start = { readonly initial: boolean; readonly after: number } | { readonly refused: StatusError }

function startOf(store: ObjectStore, options: ListOptions): Start {
  const version = options.version === '' ? 0 : parseVersion(options.version)
  if (version === undefined) throw unreadableVersion(options.version)
  if (options.sendInitialEvents) {
    if (version > store.version) return { refused: tooLargeVersion(version, store.version) }
    return { initial: true, after: store.version }
  }
  if (version === 0) return { initial: options.sendInitialEvents === undefined, after: store.version }
  if (version < store.oldest) return { refused: expired(`too old resource version: ${version} (${store.oldest})`) }
  return { initial: false, after: version }
}

function bookmarkObject(resource: Resource, version: number, annotations?: Record<string, string>): KubeObject {
  return {
    kind: resource.kind,
    apiVersion: groupVersionOf(resource),
    metadata: { resourceVersion: String(version), ...(annotations ? { annotations } : {}) },
  }
}

/** An object that enters the filter is added, one that leaves it deleted: shown as it was, with the version of its leaving. */
function frameFor(
  event: StoreEvent,
  resource: Resource,
  filter: Filter,
): { type: WatchFrame['type']; object: KubeObject } | undefined {
  const object = externalOf(resource, event.object)
  const before = event.before && externalOf(resource, event.before)
  const was = before !== undefined && filter.matches(before)
  const is = event.type !== 'DELETED' && filter.matches(object)
  if (was && is) return { type: 'MODIFIED', object }
  if (is) return { type: 'ADDED', object }
  if (!was) return undefined
  if (event.type === 'DELETED') return { type: 'DELETED', object }
  const { resourceVersion } = object.metadata
  return { type: 'DELETED', object: { ...before, metadata: { ...before.metadata, resourceVersion } } }
}

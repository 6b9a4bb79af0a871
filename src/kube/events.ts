/** Tells people what happened to an object, as core/v1 Events that `kubectl describe` shows. */
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/log.ts'
import type { RandomBytes } from '../lib/random.ts'
import { ApiError, type KubeObject, type Writer } from './client.ts'
import { type CoreEvent, events } from './object-types.ts'

export interface EventRecorder {
  /** Queues an event and returns at once; a failure to write it is logged. `message` never holds a value. */
  record(object: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string): void
  /** Resolves when all that was recorded so far has been written or given up: what is not written within 10 s is. */
  flush(): Promise<void>
}
export interface EventRecorderOptions {
  readonly client: Pick<Writer, 'create' | 'patch'>
  /** Shown as the event's source and in `reportingComponent`. */
  readonly component: string
  readonly host?: string
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: Logger
}

/** The API's own limit. */
const maxMessage = 1024
/** client-go's spam filter: a burst of 25 per object, then one each 5 minutes. */
const burst = 25
const refillMs = 300_000
const maxQueued = 1000
const maxRemembered = 4096
const flushMs = 10_000
/** Older than this, a repeated event is a new one: the API server has dropped the first by then. */
const sameEventMs = 50 * 60_000

interface Written {
  namespace: string
  name: string
  count: number
  lastMs: number
}
interface Pending {
  readonly object: KubeObject
  readonly type: 'Normal' | 'Warning'
  readonly reason: string
  readonly message: string
  readonly atMs: number
}

export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  const recorder = new Recorder(options)
  return {
    record: (object, type, reason, message) => recorder.record(object, type, reason, message),
    flush: () => recorder.flush(),
  }
}

class Recorder {
  readonly #options: EventRecorderOptions
  readonly #written = new Map<string, Written>()
  readonly #buckets = new Map<string, { tokens: number; atMs: number }>()
  #queued = 0
  /** Counts the flushes whose time was up; what was recorded before the last of them is given up. */
  #givenUp = 0
  #tail: Promise<void> = Promise.resolve()

  constructor(options: EventRecorderOptions) {
    this.#options = options
  }

  record(object: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string): void {
    if (this.#queued >= maxQueued || !this.#spend(object)) {
      this.#options.log.debug('kube.event.dropped', { reason, object: object.metadata.name ?? '' })
      return
    }
    const short = message.length > maxMessage ? `${message.slice(0, maxMessage - 3)}...` : message
    const pending = { object, type, reason, message: short, atMs: this.#options.clock.now() }
    this.#queued += 1
    const era = this.#givenUp
    // One after the other: the count of an event is read and written without a race.
    this.#tail = this.#tail.then(async () => {
      try {
        if (era === this.#givenUp) await this.#write(pending)
        else this.#options.log.debug('kube.event.dropped', { reason, object: object.metadata.name ?? '' })
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error)
        this.#options.log.warn('kube.event.failed', { reason, object: object.metadata.name ?? '', error: why })
      } finally {
        this.#queued -= 1
      }
    })
  }

  async flush(): Promise<void> {
    let cancel = () => {}
    const late = new Promise<void>((resolve) => {
      cancel = this.#options.clock.after(flushMs, () => {
        this.#givenUp += 1
        resolve()
      })
    })
    await Promise.race([this.#tail, late])
    cancel()
  }

  #spend(object: KubeObject): boolean {
    const key = object.metadata.uid ?? `${object.kind}/${object.metadata.namespace ?? ''}/${object.metadata.name ?? ''}`
    const now = this.#options.clock.monotonic()
    const bucket = this.#buckets.get(key) ?? { tokens: burst, atMs: now }
    bucket.tokens = Math.min(burst, bucket.tokens + (now - bucket.atMs) / refillMs)
    bucket.atMs = now
    remember(this.#buckets, key, bucket)
    if (bucket.tokens < 1) return false
    bucket.tokens -= 1
    return true
  }

  async #write(pending: Pending): Promise<void> {
    const { object, type, reason, message, atMs } = pending
    const key = JSON.stringify([object.metadata.uid, object.kind, object.metadata.name, type, reason, message])
    const before = this.#written.get(key)
    if (before && atMs - before.lastMs < sameEventMs && (await this.#countUp(before, atMs))) {
      remember(this.#written, key, { ...before, count: before.count + 1, lastMs: atMs })
      return
    }
    const event = this.#eventOf(pending)
    await this.#options.client.create(events, event)
    const { namespace = 'default', name = '' } = event.metadata
    remember(this.#written, key, { namespace, name, count: 1, lastMs: atMs })
  }

  async #countUp(written: Written, atMs: number): Promise<boolean> {
    const body = { count: written.count + 1, lastTimestamp: timestamp(atMs) }
    try {
      await this.#options.client.patch(events, written, { kind: 'merge', body })
      return true
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return false
      throw error
    }
  }

  #eventOf({ object, type, reason, message, atMs }: Pending): CoreEvent {
    const { component, host, random } = this.#options
    const namespace = object.metadata.namespace ?? 'default'
    const suffix = Buffer.from(random(8)).toString('hex')
    return {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { namespace, name: `${(object.metadata.name ?? 'unnamed').slice(0, 230)}.${suffix}` },
      involvedObject: {
        apiVersion: object.apiVersion,
        kind: object.kind,
        name: object.metadata.name,
        namespace: object.metadata.namespace,
        uid: object.metadata.uid,
        resourceVersion: object.metadata.resourceVersion,
      },
      type,
      reason,
      message,
      source: host === undefined ? { component } : { component, host },
      reportingComponent: component,
      reportingInstance: host ?? '',
      count: 1,
      firstTimestamp: timestamp(atMs),
      lastTimestamp: timestamp(atMs),
    }
  }
}

/** The oldest entry makes room. */
function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key)
  map.set(key, value)
  const oldest = map.keys().next()
  if (map.size > maxRemembered && !oldest.done) map.delete(oldest.value)
}

/** metav1.Time: seconds. */
const timestamp = (ms: number) => `${new Date(ms).toISOString().slice(0, 19)}Z`

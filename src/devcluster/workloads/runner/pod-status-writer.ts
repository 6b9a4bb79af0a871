import { ApiError, type KubeClient } from '../../../kube/client.ts'
import { type Pod, pods } from '../../../kube/object-types.ts'
import { refOf } from '../../../kube/resource-path.ts'
import type { Clock } from '../../../lib/clock.ts'
import type { Logger } from '../../../lib/log.ts'
import type { HostFacts } from './field-ref.ts'
import { isOwnCondition, type PodRecord, podStatus } from './pod-status.ts'

export interface PodStatusWriterOptions {
  readonly client: Pick<KubeClient, 'patch' | 'delete'>
  readonly clock: Clock
  readonly log: Logger
  readonly host: HostFacts
}
type Snapshot = () => { readonly pod: Pod; readonly record: PodRecord }

const retryMs = 1000
/** How often the end of a pod is reported while the API server cannot be reached. */
const deleteTries = 5

/** Writes one status at a time; of many changes meanwhile only the last counts. */
export class PodStatusWriter {
  readonly #options: PodStatusWriterOptions
  #latest: Snapshot | undefined
  #writing: Promise<void> | undefined
  readonly #abandoned = new AbortController()
  /** Ours as the API server has them, so that they keep their times. */
  #conditions: readonly { readonly type: string }[] = []

  constructor(options: PodStatusWriterOptions) {
    this.#options = options
  }

  publish(snapshot: Snapshot): void {
    this.#latest = snapshot
    this.#writing ??= this.#drain().finally(() => {
      this.#writing = undefined
    })
  }

  async flush(): Promise<void> {
    await this.#writing
  }

  /** Nobody needs to hear more of it: what could not be written yet is given up. */
  abandon(): void {
    this.#abandoned.abort(new Error('the pod is no longer reported on'))
  }

  /** Grace 0: nothing of it is left here. */
  async deletePod(pod: Pod): Promise<void> {
    for (let attempt = 1; attempt <= deleteTries && !this.#abandoned.signal.aborted; attempt++) {
      try {
        await this.#options.client.delete(pods, refOf(pod), { uid: pod.metadata.uid, gracePeriodSeconds: 0 })
        return
      } catch (error) {
        // 409: another pod has its name by now.
        if (error instanceof ApiError && error.status === 409) return
        this.#options.log.warn('pod.delete_failed', { error: error instanceof Error ? error.message : String(error) })
        await this.#pause(retryMs * attempt)
      }
    }
  }

  async #drain(): Promise<void> {
    // A microtask later: what happens at once is one write.
    await Promise.resolve()
    while (this.#latest && !this.#abandoned.signal.aborted) {
      const snapshot = this.#latest
      this.#latest = undefined
      const { pod, record } = snapshot()
      // Ours as we last wrote them, others' as they are.
      const conditions = [...this.#conditions, ...(pod.status?.conditions ?? [])]
      const known = { ...pod, status: { ...pod.status, conditions } }
      const status = podStatus(known as Pod, record, this.#options.host, this.#options.clock.now())
      const done = await this.#patch(pod, status)
      if (done === 'written') this.#conditions = status.conditions.filter(isOwnCondition)
      else if (done === 'failed' && !this.#latest) {
        this.#latest = snapshot
        await this.#pause(retryMs)
      }
    }
  }

  async #pause(ms: number): Promise<void> {
    await this.#options.clock.sleep(ms, this.#abandoned.signal).catch(() => {})
  }

  async #patch(pod: Pod, status: object): Promise<'written' | 'gone' | 'failed'> {
    try {
      const body = { metadata: { uid: pod.metadata.uid }, status }
      await this.#options.client.patch(pods, refOf(pod), { kind: 'merge', body }, { subresource: 'status' })
      return 'written'
    } catch (error) {
      // 404: deleted. 409, 422: another pod of its name (uid).
      if (error instanceof ApiError && [404, 409, 422].includes(error.status)) {
        if (error.status !== 404) this.#options.log.warn('pod.status_refused', { error: error.message })
        return 'gone'
      }
      this.#options.log.warn('pod.status_failed', { error: error instanceof Error ? error.message : String(error) })
      return 'failed'
    }
  }
}

/** The life of one pod on this node: volumes, init containers, containers, status, end. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Container as ContainerSpec } from 'kubernetes-types/core/v1.d.ts'
import type { KubeClient } from '../../../kube/client.ts'
import type { EventRecorder } from '../../../kube/events.ts'
import { configMaps, type Pod, secrets } from '../../../kube/object-types.ts'
import type { Clock } from '../../../lib/clock.ts'
import type { Logger } from '../../../lib/log.ts'
import type { RandomBytes } from '../../../lib/random.ts'
import { Container } from './containers/container.ts'
import type { ContainerLog } from './containers/container-log.ts'
import type { EnvironmentSources } from './environment.ts'
import type { HostFacts } from './field-ref.ts'
import type { ImageMap } from './images.ts'
import type { Isolation, Provided } from './isolation/isolation.ts'
import { PodStatusWriter } from './pod-status-writer.ts'
import { recordedOnly, unsupportedPart } from './unsupported.ts'
import { PodVolumes } from './volumes/pod-volumes.ts'

export interface PodWorkerOptions {
  readonly client: KubeClient
  readonly recorder: EventRecorder
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: Logger
  /** The runner's folder. */
  readonly dir: string
  readonly host: HostFacts
  readonly images: ImageMap
  readonly isolation: Isolation
  readonly provided: Provided
  /** Set in every container, such as KUBERNETES_SERVICE_HOST. */
  readonly baseEnv: Readonly<Record<string, string>>
}

/** A volume whose objects are missing is tried again after this. */
const retryMountMs = 1000

export class PodWorker {
  readonly #options: PodWorkerOptions
  readonly #dir: string
  readonly #logDir: string
  readonly #volumes: PodVolumes
  readonly #init: readonly Container[]
  readonly #main: readonly Container[]
  readonly #status: PodStatusWriter
  readonly #stop = new AbortController()
  readonly #startedAtMs: number
  readonly #log: Logger
  #pod: Pod
  #ending: Promise<void> | undefined
  #running: Promise<void> = Promise.resolve()

  constructor(pod: Pod, options: PodWorkerOptions) {
    const { uid = '', namespace = '', name = '' } = pod.metadata
    this.#options = options
    this.#pod = pod
    this.#dir = join(options.dir, 'pods', uid)
    this.#logDir = join(options.dir, 'logs', `${namespace}_${name}_${uid}`)
    this.#startedAtMs = options.clock.now()
    this.#log = options.log.with({ pod: `${namespace}/${name}` })
    const sources = this.#sources(pod)
    this.#volumes = new PodVolumes({ ...options, dir: join(this.#dir, 'volumes'), sources, log: this.#log })
    const init = pod.spec?.initContainers ?? []
    this.#init = init.map((spec) => this.#container(spec, sources, 'PodInitializing'))
    const waiting = init.length > 0 ? 'PodInitializing' : 'ContainerCreating'
    this.#main = (pod.spec?.containers ?? []).map((spec) => this.#container(spec, sources, waiting))
    this.#status = new PodStatusWriter({ ...options, log: this.#log })
  }

  get uid(): string {
    return this.#pod.metadata.uid ?? ''
  }

  is(namespace: string, name: string): boolean {
    return this.#pod.metadata.namespace === namespace && this.#pod.metadata.name === name
  }

  start(): void {
    this.#publish()
    this.#running = this.#live().catch((error: unknown) => {
      // Aborted by its end, which is being waited for elsewhere.
      if (this.#stop.signal.aborted) return
      this.#log.error('pod.failed', { error: error instanceof Error ? error.message : String(error) })
    })
  }

  /** The API server has another version of it: new labels, or the wish that it ends. */
  update(pod: Pod): void {
    const before = this.#pod
    this.#pod = pod
    if (pod.metadata.deletionTimestamp) {
      const graceMs = (pod.metadata.deletionGracePeriodSeconds ?? 30) * 1000
      void this.end({ graceMs, report: true })
      return
    }
    const { labels, annotations } = pod.metadata
    const same = JSON.stringify([labels, annotations])
    if (same !== JSON.stringify([before.metadata.labels, before.metadata.annotations])) void this.#volumes.refresh(pod)
  }

  objectChanged(kind: 'Secret' | 'ConfigMap', namespace: string, name: string): void {
    if (namespace === this.#pod.metadata.namespace && this.#volumes.uses(kind, name))
      void this.#volumes.refresh(this.#pod)
  }

  /** Ends the containers and removes the pod's folders; `report`: then tells the API server that it is gone. */
  end(options: { readonly graceMs: number; readonly report: boolean }): Promise<void> {
    if (!options.report) this.#status.abandon()
    if (this.#ending) this.#hurry(options.graceMs)
    this.#ending ??= this.#end(options)
    return this.#ending
  }

  /** It ends already; whoever asks again may have less patience. */
  #hurry(graceMs: number): void {
    const kill = () => {
      for (const container of [...this.#init, ...this.#main]) container.kill()
    }
    if (graceMs === 0) kill()
    else this.#options.clock.after(graceMs, kill)
  }

  logOf(container: string, previous: boolean): ContainerLog | undefined {
    return [...this.#init, ...this.#main].find((candidate) => candidate.record.name === container)?.log(previous)
  }

  hasContainer(name: string): boolean {
    return [...this.#init, ...this.#main].some((candidate) => candidate.record.name === name)
  }

  async #live(): Promise<void> {
    const { signal } = this.#stop
    const problem = unsupportedPart(this.#pod)
    if (problem) return this.#refuse(problem)
    const ignored = recordedOnly(this.#pod)
    if (ignored.length > 0) this.#log.info('pod.recorded_not_applied', { fields: ignored })
    await this.#mountVolumes(signal)
    for (const container of this.#init) {
      const code = await container.run(signal, true)
      if (code !== 0 || signal.aborted) return
    }
    await Promise.all(this.#main.map((container) => container.run(signal, false)))
  }

  #refuse(problem: string): void {
    const message = `the pod runner does not support: ${problem}`
    this.#event('Warning', 'Unsupported', message)
    this.#log.warn('pod.unsupported', { what: problem })
    // It waits for ever. Were it Failed, its ReplicaSet would make the next one at once, and so on.
    for (const container of [...this.#init, ...this.#main]) container.refuse('Unsupported', message)
  }

  async #mountVolumes(signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted()
      try {
        await this.#volumes.setUp()
        return
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error)
        this.#event('Warning', 'FailedMount', message)
        this.#log.warn('pod.mount_failed', { error: message })
      }
      await this.#options.clock.sleep(retryMountMs, signal)
    }
  }

  async #end({ graceMs, report }: { graceMs: number; report: boolean }): Promise<void> {
    this.#stop.abort(new Error('the pod ends'))
    const containers = [...this.#init, ...this.#main]
    await Promise.all(containers.map((container) => container.stop(graceMs)))
    await this.#running
    if (report) await this.#status.flush()
    await Promise.all(containers.map((container) => container.close()))
    await this.#volumes.remove()
    await rm(this.#dir, { recursive: true, force: true })
    await rm(this.#logDir, { recursive: true, force: true })
    if (report) await this.#status.deletePod(this.#pod)
    this.#log.info('pod.ended')
  }

  #container(spec: ContainerSpec, sources: EnvironmentSources, waiting: 'PodInitializing' | 'ContainerCreating') {
    const pod = this.#pod
    const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]
    const before = statuses.find((status) => status.name === spec.name)
    const context = {
      ...this.#options,
      spec,
      restartPolicy: restartPolicyOf(pod),
      sources,
      volumes: this.#volumes,
      dir: join(this.#dir, 'containers', spec.name),
      logDir: join(this.#logDir, spec.name),
      log: this.#log,
      changed: () => this.#publish(),
      event: (type: 'Normal' | 'Warning', reason: string, message: string) => this.#event(type, reason, message),
      // A runner before us had started it: this is another start.
      restartCount: before?.containerID ? before.restartCount + 1 : 0,
    }
    return new Container(context, waiting)
  }

  #sources(pod: Pod): EnvironmentSources {
    const namespace = pod.metadata.namespace ?? ''
    const { client, host } = this.#options
    return {
      pod,
      host,
      secret: (name) => client.get(secrets, { namespace, name }),
      configMap: (name) => client.get(configMaps, { namespace, name }),
    }
  }

  #publish(): void {
    this.#status.publish(() => ({
      pod: this.#pod,
      record: {
        init: this.#init.map((container) => container.record),
        main: this.#main.map((container) => container.record),
        startedAtMs: this.#startedAtMs,
      },
    }))
  }

  #event(type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#options.recorder.record(this.#pod, type, reason, message)
  }
}

function restartPolicyOf(pod: Pod): 'Always' | 'OnFailure' | 'Never' {
  const policy = pod.spec?.restartPolicy
  return policy === 'Never' || policy === 'OnFailure' ? policy : 'Always'
}

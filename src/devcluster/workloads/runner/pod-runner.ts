/** A node of the development cluster: takes the pods that are assigned to it, or to nobody, and runs them as local processes. */
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ApiError, type KubeClient, type KubeObject, type ResourceType } from '../../../kube/client.ts'
import { createEventRecorder, type EventRecorder } from '../../../kube/events.ts'
import { configMaps, type Pod, pods, secrets } from '../../../kube/object-types.ts'
import { refOf } from '../../../kube/resource-path.ts'
import type { Clock } from '../../../lib/clock.ts'
import type { Logger } from '../../../lib/log.ts'
import type { RandomBytes } from '../../../lib/random.ts'
import type { ImageMap } from './images.ts'
import type { Isolation, Provided } from './isolation/isolation.ts'
import { type LogRef, startLogServer } from './log-server.ts'
import { markNodeStopped, registerNode } from './node-registration.ts'
import { PodWorker } from './pod-worker.ts'

export interface PodRunnerOptions {
  readonly client: KubeClient
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: Logger
  /** Everything of it is below; exists. */
  readonly dir: string
  readonly nodeName: string
  readonly images: ImageMap
  readonly isolation: Isolation
  readonly provided: Provided
  /** Pods learn from it where the API server is. */
  readonly apiServer: string
  /** Absent: no logs are served. */
  readonly kubelet?: {
    readonly certificate: { readonly certPem: string; readonly keyPem: string }
    readonly clientCaPem: string
  }
  /** How long pods get to end when the runner ends. */
  readonly stopGraceMs: number
}

const hostIp = '127.0.0.1'

export class PodRunner {
  readonly #options: PodRunnerOptions
  readonly #recorder: EventRecorder
  readonly #workers = new Map<string, PodWorker>()
  readonly #ending = new Set<Promise<void>>()
  /** Being bound, so that two events of one pod do not bind it twice. */
  readonly #binding = new Set<string>()

  constructor(options: PodRunnerOptions) {
    this.#options = options
    const recorder = { ...options, component: 'kubelet', host: options.nodeName }
    this.#recorder = createEventRecorder(recorder)
  }

  /** Runs pods until `signal` aborts, then ends them and removes their folders. `ready` is called when it takes pods. */
  async run(signal: AbortSignal, ready: () => void): Promise<void> {
    const { client, clock, dir, nodeName, isolation, kubelet, log, stopGraceMs } = this.#options
    for (const name of ['pods', 'logs']) {
      // What a runner left that was killed.
      await rm(join(dir, name), { recursive: true, force: true })
      await mkdir(join(dir, name), { mode: 0o700 })
    }
    const server = kubelet
      ? await startLogServer({ ...kubelet, host: hostIp, find: (ref) => this.#findLog(ref) })
      : undefined
    try {
      const facts = { name: nodeName, hostIp, logPort: server?.port, isolation: isolation.kind }
      await registerNode(client, facts, clock)
      log.info('runner.ready', { node: nodeName, isolation: isolation.kind, logPort: server?.port })
      await Promise.all([
        this.#followPods(signal, ready),
        this.#followSources(secrets, 'Secret', signal),
        this.#followSources(configMaps, 'ConfigMap', signal),
      ])
    } finally {
      const ends = [...this.#workers.values()].map((worker) => worker.end({ graceMs: stopGraceMs, report: false }))
      await Promise.all([...ends, ...this.#ending])
      await server?.close()
      for (const name of ['pods', 'logs']) await rm(join(dir, name), { recursive: true, force: true })
      // The cluster may have gone first.
      await markNodeStopped(client, nodeName, clock).catch(() => {})
    }
  }

  async #followPods(signal: AbortSignal, ready: () => void): Promise<void> {
    let first = true
    for await (const event of this.#options.client.watch(pods, {}, signal)) {
      if (event.type === 'synced') {
        if (first) ready()
        first = false
      } else if (event.type === 'deleted') {
        this.#vanished(event.object)
      } else {
        this.#changed(event.object)
      }
    }
  }

  async #followSources<T extends KubeObject>(type: ResourceType<T>, kind: 'Secret' | 'ConfigMap', signal: AbortSignal) {
    for await (const event of this.#options.client.watch(type, {}, signal)) {
      if (event.type === 'synced') continue
      const { namespace = '', name = '' } = event.object.metadata
      for (const worker of this.#workers.values()) worker.objectChanged(kind, namespace, name)
    }
  }

  #changed(pod: Pod): void {
    const { uid = '', deletionTimestamp } = pod.metadata
    const worker = this.#workers.get(uid)
    if (worker) {
      worker.update(pod)
      return
    }
    const over = pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'
    if (pod.spec?.nodeName === this.#options.nodeName) {
      // Nothing of it is here (any more): only its object waits for its end.
      if (deletionTimestamp) void this.#forgetPod(pod)
      else if (!over) this.#start(pod)
    } else if (!pod.spec?.nodeName && !deletionTimestamp && !over) {
      void this.#bind(pod)
    }
  }

  #start(pod: Pod): void {
    const { apiServer, provided, nodeName } = this.#options
    const { hostname, port } = new URL(apiServer)
    const baseEnv = {
      KUBERNETES_SERVICE_HOST: hostname,
      KUBERNETES_SERVICE_PORT: port || '443',
      HOSTNAME: pod.metadata.name ?? '',
    }
    const host = { nodeName, hostIp }
    const worker = new PodWorker(pod, { ...this.#options, provided, recorder: this.#recorder, host, baseEnv })
    this.#workers.set(worker.uid, worker)
    worker.start()
  }

  #vanished(pod: Pod): void {
    const worker = this.#workers.get(pod.metadata.uid ?? '')
    if (!worker) return
    this.#workers.delete(worker.uid)
    // Deleted without its grace, or by our own report.
    const end = worker.end({ graceMs: 0, report: false })
    this.#ending.add(end)
    void end.finally(() => this.#ending.delete(end))
  }

  async #bind(pod: Pod): Promise<void> {
    const { client, nodeName, log, clock } = this.#options
    const uid = pod.metadata.uid ?? ''
    if (this.#binding.has(uid)) return
    this.#binding.add(uid)
    try {
      const { name = '', namespace = '' } = pod.metadata
      const target = { apiVersion: 'v1', kind: 'Node', name: nodeName }
      const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name, namespace }, target }
      await client.post(pods, refOf(pod), 'binding', binding)
      this.#recorder.record(pod, 'Normal', 'Scheduled', `Successfully assigned ${namespace}/${name} to ${nodeName}`)
    } catch (error) {
      if (error instanceof ApiError && [404, 409].includes(error.status)) return
      const why = error instanceof Error ? error.message : String(error)
      log.warn('pod.bind_failed', { pod: pod.metadata.name, error: why })
      // Nobody else will tell us of it again.
      clock.after(1000, () => void this.#bind(pod))
    } finally {
      this.#binding.delete(uid)
    }
  }

  async #forgetPod(pod: Pod): Promise<void> {
    const { client, log } = this.#options
    try {
      await client.delete(pods, refOf(pod), { uid: pod.metadata.uid, gracePeriodSeconds: 0 })
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      log.warn('pod.delete_failed', { pod: pod.metadata.name, error: why })
    }
  }

  #findLog({ namespace, pod: name, container, previous }: LogRef) {
    const worker = [...this.#workers.values()].find((candidate) => candidate.is(namespace, name))
    if (!worker) return 'no pod'
    if (!worker.hasContainer(container)) return 'no container'
    return worker.logOf(container, previous) ?? 'not started'
  }
}

/** A node of a cluster: takes the pods that are assigned to it, or to nobody where it is alone, and runs them as local processes. */
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ApiError, type KubeClient, type KubeObject, type ResourceType } from '../../../kube/client.ts'
import { createEventRecorder, type EventRecorder } from '../../../kube/events.ts'
import { configMaps, type Pod, pods, secrets } from '../../../kube/object-types.ts'
import { refOf } from '../../../kube/resource-path.ts'
import type { Clock } from '../../../lib/clock.ts'
import type { Logger } from '../../../lib/log.ts'
import type { RandomBytes } from '../../../lib/random.ts'
import { assignmentOf, isOver } from './assignment.ts'
import type { ImageMap } from './images.ts'
import type { Isolation, Provided } from './isolation/isolation.ts'
import { LogCallers } from './node/log-callers.ts'
import { type LogRef, type LogServer, startLogServer } from './node/log-server.ts'
import { Neighbours } from './node/neighbours.ts'
import { keepNodeAlive } from './node/node-lease.ts'
import { markNodeStopped, type NodeFacts, nodeLabels, postNodeStatus, registerNode } from './node/node-registration.ts'
import { PodWorker } from './pod-worker.ts'

export interface PodRunnerOptions {
  readonly client: KubeClient
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: Logger
  /** Everything of it is below; exists. */
  readonly dir: string
  readonly nodeName: string
  /** Where the API server reaches us, and the address of all our pods: they share the host's network. */
  readonly hostIp: string
  /** Only pods of this namespace; absent: of all. */
  readonly namespace?: string
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

export class PodRunner {
  readonly #options: PodRunnerOptions
  readonly #recorder: EventRecorder
  readonly #workers = new Map<string, PodWorker>()
  readonly #ending = new Set<Promise<void>>()
  /** Being bound, so that two events of one pod do not bind it twice. */
  readonly #binding = new Set<string>()
  /** Unassigned, and left to others as things stand. */
  readonly #left = new Map<string, Pod>()
  readonly #neighbours: Neighbours
  #registering: Promise<unknown> | undefined
  #facts: NodeFacts
  #ended = false
  /** What ends the run from inside: the node was taken from the cluster and could not come back. */
  #fail: (error: unknown) => void = () => {}

  constructor(options: PodRunnerOptions) {
    this.#options = options
    const recorder = { ...options, component: 'kubelet', host: options.nodeName }
    this.#recorder = createEventRecorder(recorder)
    const { client, nodeName, hostIp, isolation } = options
    this.#facts = { name: nodeName, hostIp, logPort: undefined, isolation: isolation.kind }
    this.#neighbours = new Neighbours({
      client,
      ownName: nodeName,
      changed: () => this.#lookAgain(),
      ownLost: (node) => this.#reclaim(node !== undefined),
    })
  }

  /** Runs pods until `signal` aborts, then ends them and removes their folders. `ready` is called when it takes pods. */
  async run(signal: AbortSignal, ready: () => void): Promise<void> {
    const { client, clock, dir, nodeName, log, stopGraceMs } = this.#options
    for (const name of ['pods', 'logs']) {
      // What a runner left that was killed.
      await rm(join(dir, name), { recursive: true, force: true })
      await mkdir(join(dir, name), { mode: 0o700 })
    }
    const server = await this.#startLogServer()
    let registered = false
    try {
      this.#facts = { ...this.#facts, logPort: server?.port }
      const node = await registerNode(client, this.#facts, clock)
      registered = true
      log.info('runner.ready', { node: nodeName, isolation: this.#facts.isolation, logPort: server?.port })
      const postStatus = () => postNodeStatus(client, this.#facts, clock)
      await Promise.race([
        Promise.all([
          this.#followCluster(signal, ready),
          keepNodeAlive({ client, clock, log, node, postStatus }, signal),
          this.#followSources(secrets, 'Secret', signal),
          this.#followSources(configMaps, 'ConfigMap', signal),
        ]),
        new Promise<never>((_, reject) => {
          this.#fail = reject
        }),
      ])
    } finally {
      this.#ended = true
      const ends = [...this.#workers.values()].map((worker) => worker.end({ graceMs: stopGraceMs, report: false }))
      await Promise.all([...ends, ...this.#ending])
      await server?.close()
      for (const name of ['pods', 'logs']) await rm(join(dir, name), { recursive: true, force: true })
      // The cluster may have gone first. A Node that we did not get is somebody else's.
      if (registered) await markNodeStopped(client, nodeName, clock).catch(() => {})
    }
  }

  async #startLogServer(): Promise<LogServer | undefined> {
    const { kubelet, hostIp } = this.#options
    if (!kubelet) return undefined
    const callers = new LogCallers(this.#options)
    const mayRead = (caller: Parameters<LogCallers['mayRead']>[0]) => callers.mayRead(caller)
    return startLogServer({ ...kubelet, host: hostIp, mayRead, find: (ref) => this.#findLog(ref) })
  }

  /** Who else is there is known before the first pod is looked at. */
  async #followCluster(signal: AbortSignal, ready: () => void): Promise<void> {
    let pods: Promise<void> | undefined
    await this.#neighbours.follow(signal, () => {
      pods ??= this.#followPods(signal, ready)
      pods.catch((error: unknown) => this.#fail(error))
    })
    await pods
  }

  async #followPods(signal: AbortSignal, ready: () => void): Promise<void> {
    const { client, namespace } = this.#options
    let first = true
    for await (const event of client.watch(pods, namespace === undefined ? {} : { namespace }, signal)) {
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
    const { client, namespace } = this.#options
    for await (const event of client.watch(type, namespace === undefined ? {} : { namespace }, signal)) {
      if (event.type === 'synced') continue
      const { namespace: of = '', name = '' } = event.object.metadata
      for (const worker of this.#workers.values()) worker.objectChanged(kind, of, name)
    }
  }

  /** The cluster thinks that we are gone. A Node that was deleted is made again, where that is allowed. */
  #reclaim(there: boolean): void {
    const { client, clock, log, nodeName } = this.#options
    if (this.#ended || this.#registering) return
    log.warn(there ? 'node.not_ready' : 'node.deleted', { node: nodeName })
    const again = there ? postNodeStatus(client, this.#facts, clock) : registerNode(client, this.#facts, clock)
    this.#registering = again
      .catch((error: unknown) => {
        const why = error instanceof Error ? error.message : String(error)
        // The heartbeat posts it later; a Node that is gone will not come by itself.
        if (there) log.warn('node.status_failed', { error: why })
        else this.#fail(new Error(`Node ${nodeName} was deleted and could not be made again: ${why}`))
      })
      .finally(() => {
        this.#registering = undefined
      })
  }

  #changed(pod: Pod): void {
    const { uid = '', deletionTimestamp } = pod.metadata
    const worker = this.#workers.get(uid)
    if (worker) {
      worker.update(pod)
      return
    }
    if (pod.spec?.nodeName === this.#options.nodeName) {
      this.#left.delete(uid)
      // Nothing of it is here (any more): only its object waits for its end.
      if (deletionTimestamp) void this.#forgetPod(pod)
      else if (!isOver(pod)) this.#start(pod)
      return
    }
    this.#consider(pod)
  }

  #consider(pod: Pod): void {
    const { nodeName } = this.#options
    const { uid = '' } = pod.metadata
    const labels = nodeLabels(this.#facts)
    const assignment = assignmentOf(pod, { nodeName, labels, shared: this.#neighbours.anyReady })
    if (pod.spec?.nodeName) {
      this.#left.delete(uid)
    } else if (assignment === 'take') {
      this.#left.delete(uid)
      void this.#bind(pod)
    } else {
      if (assignment === 'no match' && !this.#left.has(uid)) {
        const why = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."
        this.#recorder.record(pod, 'Warning', 'FailedScheduling', why)
      }
      this.#left.set(uid, pod)
    }
  }

  #lookAgain(): void {
    const { log } = this.#options
    if (this.#neighbours.anyReady) log.info('node.shared')
    else log.info('node.alone')
    for (const pod of this.#left.values()) this.#consider(pod)
  }

  #start(pod: Pod): void {
    const { apiServer, provided, nodeName, hostIp } = this.#options
    const { hostname, port } = new URL(apiServer)
    const baseEnv = {
      // An IPv6 address stands in brackets in a URL only.
      KUBERNETES_SERVICE_HOST: hostname.replace(/^\[|\]$/g, ''),
      KUBERNETES_SERVICE_PORT: port || '443',
      HOSTNAME: pod.metadata.name ?? '',
    }
    const host = { nodeName, hostIp }
    const worker = new PodWorker(pod, { ...this.#options, provided, recorder: this.#recorder, host, baseEnv })
    this.#workers.set(worker.uid, worker)
    worker.start()
  }

  #vanished(pod: Pod): void {
    this.#left.delete(pod.metadata.uid ?? '')
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

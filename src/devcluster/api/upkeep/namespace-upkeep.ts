/** What every namespace has (a default account, the cluster's CA) and how one ends (after all that is in it). */
import type { KubeObject } from '../../../kube/client.ts'
import type { Clock } from '../../../lib/clock.ts'
import type { Logger } from '../../../lib/log.ts'
import { rootCaName } from '../admission/service-account-admission.ts'
import { systemUser } from '../identity/user.ts'
import type { ObjectRemover } from '../requests/deletion/object-remover.ts'
import { type ObjectWriter, timestamp } from '../requests/object-writer.ts'
import type { Resource, ResourceTable } from '../resource.ts'
import { StatusError } from '../status.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { equal, textsAt, treeAt, treesAt } from '../tree.ts'
import { endingConditions, type Remaining } from './namespace-conditions.ts'

export interface NamespaceUpkeepOptions {
  readonly store: ObjectStore
  readonly resources: ResourceTable
  readonly writer: ObjectWriter
  readonly remover: ObjectRemover
  readonly caPem: string
  readonly clock: Clock
  readonly log: Logger
}

export class NamespaceUpkeep {
  readonly #options: NamespaceUpkeepOptions
  #work: Promise<void> = Promise.resolve()

  constructor(options: NamespaceUpkeepOptions) {
    this.#options = options
  }

  start(): () => void {
    return this.#options.store.subscribe(({ type, collection, object }) => {
      const name = collection === 'namespaces' ? object.metadata.name : object.metadata.namespace
      if (name === undefined) return
      const matters =
        (collection === 'namespaces' && type !== 'DELETED') ||
        (type === 'DELETED' && (this.#isEnding(name) || isStandard(collection, object)))
      if (matters) this.#work = this.#work.then(() => this.#attend(name)).catch(this.#failed)
    })
  }

  idle(): Promise<void> {
    return this.#work
  }

  #failed = (error: unknown): void => {
    const why = error instanceof Error ? error.message : String(error)
    this.#options.log.error('namespace upkeep failed', { why })
  }

  #isEnding(name: string): boolean {
    return this.#options.store.get('namespaces', undefined, name)?.metadata.deletionTimestamp !== undefined
  }

  async #attend(name: string): Promise<void> {
    const namespace = this.#options.store.get('namespaces', undefined, name)
    if (!namespace) return
    if (namespace.metadata.deletionTimestamp) await this.#empty(namespace)
    else await this.#furnish(name)
  }

  async #furnish(namespace: string): Promise<void> {
    await this.#ensure('serviceaccounts', {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'default', namespace },
    })
    await this.#ensure('configmaps', {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: rootCaName, namespace, annotations: { 'kubernetes.io/description': rootCaDescription } },
      data: { 'ca.crt': this.#options.caPem },
    })
  }

  async #ensure(collection: string, object: KubeObject): Promise<void> {
    const { store, resources, writer } = this.#options
    const { namespace, name } = object.metadata
    const resource = resources.findCollection(collection)
    if (!resource || store.get(collection, namespace, name ?? '')) return
    const manager = 'kube-controller-manager'
    const request = {
      resource,
      namespace,
      name,
      subresource: undefined,
      user: systemUser,
      manager,
      dryRun: false,
      warnings: [],
    }
    await ignoring([404, 409], () => writer.create(request, object))
  }

  async #empty(namespace: KubeObject): Promise<void> {
    const { store, resources } = this.#options
    const { name = '' } = namespace.metadata
    const kinds = new Map<string, Resource>()
    for (const resource of resources.all()) if (resource.namespaced) kinds.set(resource.collection, resource)
    const left: Remaining[] = []
    for (const [collection, resource] of kinds)
      for (const object of store.list(collection)) {
        if (object.metadata.namespace !== name) continue
        if (!object.metadata.deletionTimestamp) await this.#delete(resource, object)
        const found = store.get(collection, name, object.metadata.name ?? '')
        if (found) left.push({ resource, finalizers: found.metadata.finalizers ?? [] })
      }
    const now = store.get('namespaces', undefined, name)
    if (now) this.#conclude(now, left)
  }

  /** Says what is still there, or lets the namespace go when nobody else holds it. */
  #conclude(namespace: KubeObject, left: readonly Remaining[]): void {
    const { store, clock } = this.#options
    const conditions = endingConditions(treesAt(namespace, 'status', 'conditions'), left, timestamp(clock.now()))
    const all = textsAt(namespace, 'spec', 'finalizers')
    const finalizers = left.length === 0 ? all.filter((finalizer) => finalizer !== 'kubernetes') : all
    const held = finalizers.length + (namespace.metadata.finalizers ?? []).length
    if (left.length === 0 && held === 0) {
      store.remove('namespaces', namespace)
      return
    }
    const spec = { ...treeAt(namespace, 'spec'), finalizers }
    const after = { ...namespace, spec, status: { ...treeAt(namespace, 'status'), conditions } }
    if (!equal(after, namespace)) store.put('namespaces', after, namespace)
  }

  async #delete(resource: Resource, object: KubeObject): Promise<void> {
    const { namespace, name = '' } = object.metadata
    const options = { propagationPolicy: 'Background', dryRun: false }
    await ignoring([404], () =>
      this.#options.remover.remove({ resource, namespace, name, user: systemUser, warnings: [], options }),
    )
  }
}

const rootCaDescription =
  'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.'

const isStandard = (collection: string, { metadata }: KubeObject) =>
  (collection === 'serviceaccounts' && metadata.name === 'default') ||
  (collection === 'configmaps' && metadata.name === rootCaName)

async function ignoring(codes: readonly number[], work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof StatusError) || !codes.includes(error.code)) throw error
  }
}

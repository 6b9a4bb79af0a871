/** All objects of the development cluster, in memory, with one version counter and a window of what happened. */
import type { KubeObject } from '../../../kube/client.ts'

/** One change. Objects in here are shared: nobody changes them, a write puts another one in their place. */
export interface StoreEvent {
  readonly version: number
  readonly collection: string
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  /** After the change; of a deletion the last state, with the deletion's version. */
  readonly object: KubeObject
  readonly before: KubeObject | undefined
}

export interface StoreOptions {
  /** How many changes a watch can go back. Older: 410. */
  readonly historyEvents: number
}

export class ObjectStore {
  readonly #collections = new Map<string, Map<string, KubeObject>>()
  readonly #history: StoreEvent[] = []
  readonly #listeners = new Set<(event: StoreEvent) => void>()
  readonly #historyEvents: number
  #version = 1

  constructor(options: StoreOptions) {
    this.#historyEvents = options.historyEvents
  }

  /** The resourceVersion of the latest change. */
  get version(): number {
    return this.#version
  }

  get(collection: string, namespace: string | undefined, name: string): KubeObject | undefined {
    return this.#collections.get(collection)?.get(keyOf(namespace, name))
  }

  /** In order of namespace and name. */
  list(collection: string): KubeObject[] {
    const rows = [...(this.#collections.get(collection) ?? [])]
    return rows.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object)
  }

  /** Puts `object` where `before` is; undefined when something else is there by now. */
  put(collection: string, object: KubeObject, before: KubeObject | undefined): KubeObject | undefined {
    const rows = this.#rows(collection)
    const key = keyOf(object.metadata.namespace, object.metadata.name ?? '')
    if (rows.get(key) !== before) return undefined
    this.#version += 1
    const stored: KubeObject = {
      ...object,
      metadata: { ...object.metadata, resourceVersion: String(this.#version) },
    }
    rows.set(key, stored)
    this.#record({
      version: this.#version,
      collection,
      type: before ? 'MODIFIED' : 'ADDED',
      object: stored,
      before,
    })
    return stored
  }

  /** Removes exactly the state `before`, leaving `last` for those who watch; undefined when another state is there by now. */
  remove(collection: string, before: KubeObject, last: KubeObject = before): KubeObject | undefined {
    const rows = this.#rows(collection)
    const key = keyOf(before.metadata.namespace, before.metadata.name ?? '')
    if (rows.get(key) !== before) return undefined
    rows.delete(key)
    this.#version += 1
    const object: KubeObject = {
      ...last,
      metadata: { ...last.metadata, resourceVersion: String(this.#version) },
    }
    this.#record({ version: this.#version, collection, type: 'DELETED', object, before })
    return object
  }

  /** Called for every change, in order, before the writer hears of it. */
  subscribe(listener: (event: StoreEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** What happened after `version`; undefined when that is further back than is kept. */
  since(version: number): readonly StoreEvent[] | undefined {
    if (version < this.oldest) return undefined
    return this.#history.filter((event) => event.version > version)
  }

  /** The oldest version from which a watch can still go on. */
  get oldest(): number {
    const first = this.#history[0]
    return first ? first.version - 1 : this.#version
  }

  /** A collection as it was at `version`; undefined when that is too long ago. */
  listAt(collection: string, version: number): KubeObject[] | undefined {
    const later = this.since(version)
    if (!later) return undefined
    const rows = new Map(this.#collections.get(collection) ?? [])
    for (const event of [...later].reverse()) {
      if (event.collection !== collection) continue
      const key = keyOf(event.object.metadata.namespace, event.object.metadata.name ?? '')
      if (event.before) rows.set(key, event.before)
      else rows.delete(key)
    }
    return [...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object)
  }

  #rows(collection: string): Map<string, KubeObject> {
    const known = this.#collections.get(collection)
    if (known) return known
    const made = new Map<string, KubeObject>()
    this.#collections.set(collection, made)
    return made
  }

  #record(event: StoreEvent): void {
    this.#history.push(event)
    if (this.#history.length > this.#historyEvents) this.#history.shift()
    for (const listener of [...this.#listeners]) listener(event)
  }
}

/** Orders as etcd does: by namespace, then name. */
export function keyOf(namespace: string | undefined, name: string): string {
  return namespace === undefined ? name : `${namespace}/${name}`
}

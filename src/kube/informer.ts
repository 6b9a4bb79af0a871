/** A local copy of a set of objects, kept current by a watch. */
import type { KubeObject, ListOptions, Reader, Ref, ResourceType } from './client.ts'
import { refOf } from './resource-path.ts'

/** What a controller reads instead of the API server; objects are shared and must not be changed. */
export interface Store<T extends KubeObject> {
  get(ref: Ref): T | undefined
  /** All, or those of one namespace. */
  list(namespace?: string): readonly T[]
  /** Those for which the index function gave `value`. Throws on an index that was not declared. */
  byIndex(index: string, value: string): readonly T[]
  readonly size: number
}
export interface Change<T> {
  readonly type: 'upserted' | 'deleted'
  readonly object: T
  /** As the store had it before. */
  readonly before?: T
}
export interface InformerOptions<T extends KubeObject> {
  readonly client: Pick<Reader, 'watch'>
  readonly type: ResourceType<T>
  readonly options?: ListOptions
  /** name -> the values under which an object is found by `byIndex`. */
  readonly indexes?: Readonly<Record<string, (object: T) => readonly string[]>>
  /** Drops what need not be held in memory, such as managedFields. */
  readonly transform?: (object: T) => T
}

/** `run` fills the store until its signal aborts. Handlers are called after the store has the change; they must not throw. */
export class Informer<T extends KubeObject> {
  readonly #options: InformerOptions<T>
  readonly #store: MemoryStore<T>
  readonly #handlers = new Set<(change: Change<T>) => void>()
  #markSynced: () => void = () => {}
  readonly #synced: Promise<void>
  #hasSynced = false

  constructor(options: InformerOptions<T>) {
    this.#options = options
    this.#store = new MemoryStore(options.indexes ?? {})
    this.#synced = new Promise((resolve) => {
      this.#markSynced = resolve
    })
  }

  get store(): Store<T> {
    return this.#store
  }

  get hasSynced(): boolean {
    return this.#hasSynced
  }

  /** Resolves when the store has had the whole set once. */
  synced(): Promise<void> {
    return this.#synced
  }

  /** Called for every change from now on; the returned function ends that. */
  onChange(handler: (change: Change<T>) => void): () => void {
    this.#handlers.add(handler)
    return () => this.#handlers.delete(handler)
  }

  async run(signal: AbortSignal): Promise<void> {
    const { client, type, options, transform } = this.#options
    for await (const event of client.watch(type, options ?? {}, signal)) {
      if (event.type === 'synced') {
        this.#hasSynced = true
        this.#markSynced()
        continue
      }
      const before = this.#store.get(refOf(event.object))
      if (event.type === 'upserted') {
        const object = transform ? transform(event.object) : event.object
        // A relist shows everything again: what did not change is no news.
        const version = object.metadata.resourceVersion
        if (before && version !== undefined && before.metadata.resourceVersion === version) continue
        this.#store.put(object)
        this.#tell({ type: 'upserted', object, ...(before ? { before } : {}) })
      } else {
        this.#store.remove(refOf(event.object))
        this.#tell({ type: 'deleted', object: event.object, ...(before ? { before } : {}) })
      }
    }
  }

  #tell(change: Change<T>): void {
    for (const handler of this.#handlers) handler(change)
  }
}

class MemoryStore<T extends KubeObject> implements Store<T> {
  readonly #objects = new Map<string, T>()
  readonly #indexers: Readonly<Record<string, (object: T) => readonly string[]>>
  readonly #indexes = new Map<string, Map<string, Set<string>>>()

  constructor(indexers: Readonly<Record<string, (object: T) => readonly string[]>>) {
    this.#indexers = indexers
    for (const name of Object.keys(indexers)) this.#indexes.set(name, new Map())
  }

  get size() {
    return this.#objects.size
  }

  get(ref: Ref): T | undefined {
    return this.#objects.get(keyOf(ref))
  }

  list(namespace?: string): readonly T[] {
    const all = [...this.#objects.values()]
    return namespace === undefined ? all : all.filter((object) => object.metadata.namespace === namespace)
  }

  byIndex(index: string, value: string): readonly T[] {
    const values = this.#indexes.get(index)
    if (!values) throw new Error(`no index named ${index}`)
    return [...(values.get(value) ?? [])].flatMap((key) => this.#objects.get(key) ?? [])
  }

  put(object: T): void {
    const ref = refOf(object)
    this.remove(ref)
    const key = keyOf(ref)
    this.#objects.set(key, object)
    this.#eachIndexValue(object, (values, value) => {
      const keys = values.get(value) ?? new Set()
      values.set(value, keys.add(key))
    })
  }

  remove(ref: Ref): void {
    const key = keyOf(ref)
    const object = this.#objects.get(key)
    if (!object) return
    this.#objects.delete(key)
    this.#eachIndexValue(object, (values, value) => {
      const keys = values.get(value)
      keys?.delete(key)
      if (keys?.size === 0) values.delete(value)
    })
  }

  #eachIndexValue(object: T, fn: (values: Map<string, Set<string>>, value: string) => void): void {
    for (const [name, values] of this.#indexes) {
      for (const value of this.#indexers[name]?.(object) ?? []) fn(values, value)
    }
  }
}

const keyOf = (ref: Ref) => `${ref.namespace ?? ''}/${ref.name}`

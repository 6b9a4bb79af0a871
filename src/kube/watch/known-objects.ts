import type { KubeObject, ObjectMeta, ResourceType, WatchEvent } from '../client.ts'
import { apiVersionOf } from '../object-types.ts'

/** What a list that is still coming has shown so far. */
export type Listing = Set<string>

/** Which objects a watcher was told of, by their metadata, to find out what vanished while it could not look. */
export class KnownObjects<T extends KubeObject> {
  readonly #type: ResourceType<T>
  readonly #metadata = new Map<string, ObjectMeta>()

  constructor(type: ResourceType<T>) {
    this.#type = type
  }

  beginList(): Listing {
    return new Set()
  }

  note(event: { type: 'upserted' | 'deleted'; object: T }, listing?: Listing): void {
    const { metadata } = event.object
    const key = `${metadata.namespace ?? ''}/${metadata.name ?? ''}`
    if (event.type === 'upserted') {
      this.#metadata.set(key, slim(metadata))
      listing?.add(key)
    } else {
      this.#metadata.delete(key)
      listing?.delete(key)
    }
  }

  /** The list is complete: what we know of and it did not show is gone. */
  *endList(listing: Listing): Generator<WatchEvent<T>, void, undefined> {
    for (const [key, metadata] of [...this.#metadata]) {
      if (listing.has(key)) continue
      this.#metadata.delete(key)
      const { kind } = this.#type
      yield { type: 'deleted', object: { apiVersion: apiVersionOf(this.#type), kind, metadata } as T }
    }
  }
}

/** managedFields is the largest part of many objects and nobody asks for it after the end. */
function slim({ managedFields: _, ...rest }: ObjectMeta): ObjectMeta {
  return rest
}

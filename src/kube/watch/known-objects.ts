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

  /** The events that this one makes: one of the same name that was another object has been deleted in between. */
  note(event: { type: 'upserted' | 'deleted'; object: T }, listing?: Listing): WatchEvent<T>[] {
    const { metadata } = event.object
    const key = `${metadata.namespace ?? ''}/${metadata.name ?? ''}`
    if (event.type === 'deleted') {
      this.#metadata.delete(key)
      listing?.delete(key)
      return [event]
    }
    const before = this.#metadata.get(key)
    this.#metadata.set(key, slim(metadata))
    listing?.add(key)
    return before && before.uid !== metadata.uid ? [this.#gone(before), event] : [event]
  }

  /** The list is complete: what we know of and it did not show is gone. */
  endList(listing: Listing): WatchEvent<T>[] {
    const gone: WatchEvent<T>[] = []
    for (const [key, metadata] of this.#metadata) {
      if (listing.has(key)) continue
      this.#metadata.delete(key)
      gone.push(this.#gone(metadata))
    }
    return gone
  }

  #gone(metadata: ObjectMeta): WatchEvent<T> {
    const object = { apiVersion: apiVersionOf(this.#type), kind: this.#type.kind, metadata }
    return { type: 'deleted', object: object as T }
  }
}

/** managedFields is the largest part of many objects and nobody asks for it after the end. */
function slim({ managedFields: _, ...rest }: ObjectMeta): ObjectMeta {
  return rest
}

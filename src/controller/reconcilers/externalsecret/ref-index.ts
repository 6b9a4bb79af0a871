/** Which ExternalSecrets read what, so that a store's notice finds them without looking at all. Keys are "<namespace>/<name>". */
export class RefIndex {
  readonly #locationsOf = new Map<string, ReadonlySet<string>>()
  readonly #storesOf = new Map<string, ReadonlySet<string>>()
  readonly #readers = new Map<string, Set<string>>()

  set(reader: string, refs: { stores: readonly string[]; locations: readonly Location[] }): void {
    this.delete(reader)
    const locations = new Set(refs.locations.map(idOf))
    this.#locationsOf.set(reader, locations)
    this.#storesOf.set(reader, new Set(refs.stores))
    for (const id of [...locations, ...refs.stores]) {
      const readers = this.#readers.get(id) ?? new Set()
      this.#readers.set(id, readers.add(reader))
    }
  }

  delete(reader: string): void {
    for (const id of [...(this.#locationsOf.get(reader) ?? []), ...(this.#storesOf.get(reader) ?? [])]) {
      const readers = this.#readers.get(id)
      readers?.delete(reader)
      if (readers?.size === 0) this.#readers.delete(id)
    }
    this.#locationsOf.delete(reader)
    this.#storesOf.delete(reader)
  }

  readersOfStore(store: string): readonly string[] {
    return [...(this.#readers.get(store) ?? [])]
  }

  readersOf(location: Location): readonly string[] {
    return [...(this.#readers.get(idOf(location)) ?? [])]
  }
}

export interface Location {
  readonly store: string
  readonly location: string
}

// A space can't be in a store's key, so that the two kinds of id can't be confused.
const idOf = (location: Location) => `${location.store} ${location.location}`

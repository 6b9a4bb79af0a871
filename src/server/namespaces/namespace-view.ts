import { type NamespaceInfo, rootNamespace } from '../contracts/epochs.ts'
import { infoOfNamespace, type NamespaceRow } from './namespace-row.ts'

export interface Located {
  readonly namespace: NamespaceInfo
  /** What is left of the path below it. */
  readonly rest: string
}

/** One consistent reading of the rows: finds a request's namespace without touching storage. */
export class NamespaceView {
  /** The content of the epoch row that this was read under; undefined before the first namespace. */
  readonly generation: string | undefined
  readonly rows: readonly NamespaceRow[]
  readonly #byPath: ReadonlyMap<string, NamespaceInfo>
  readonly #byId: ReadonlyMap<string, NamespaceRow>
  readonly #infos: ReadonlyMap<string, NamespaceInfo>

  constructor(generation: string | undefined, rows: readonly NamespaceRow[]) {
    this.generation = generation
    this.rows = rows
    const live = rows.filter((row) => !row.deleting)
    this.#byId = new Map(rows.map((row) => [row.id, row]))
    this.#byPath = new Map(live.map((row) => [row.path, infoOfNamespace(row)]))
    this.#infos = new Map([
      [rootNamespace.id, rootNamespace],
      ...rows.map((row) => [row.id, infoOfNamespace(row)] as const),
    ])
  }

  /** The deepest namespace that the path leads into. */
  locate(path: string): Located {
    if (this.#byPath.size === 0) return { namespace: rootNamespace, rest: path }
    let namespace = rootNamespace
    for (;;) {
      const end = path.indexOf('/', namespace.path.length)
      // "team" alone, without anything below it, is a path in the parent.
      const next = end < 0 ? undefined : this.#byPath.get(path.slice(0, end + 1))
      if (!next) return { namespace, rest: path.slice(namespace.path.length) }
      namespace = next
    }
  }

  /** `path` with its trailing slash; '' is root. Undefined also for one that is being deleted. */
  at(path: string): NamespaceInfo | undefined {
    return path === '' ? rootNamespace : this.#byPath.get(path)
  }

  /** Those that are being deleted too. */
  byId(id: string): NamespaceInfo | undefined {
    return this.#infos.get(id)
  }

  row(id: string): NamespaceRow | undefined {
    return this.#byId.get(id)
  }

  /** Live namespaces below a path, sorted; `deep`: with those below them. */
  below(path: string, deep: boolean): readonly NamespaceRow[] {
    const inside = this.rows.filter((row) => !row.deleting && row.path !== path && row.path.startsWith(path))
    const wanted = deep ? inside : inside.filter((row) => row.path.indexOf('/', path.length) === row.path.length - 1)
    return wanted.sort((a, b) => (a.path < b.path ? -1 : 1))
  }

  /** Those that the path lies in, nearest first. */
  above(path: string): readonly NamespaceInfo[] {
    const outer = this.rows.filter((row) => !row.deleting && row.path !== path && path.startsWith(row.path))
    const infos = outer.sort((a, b) => b.path.length - a.path.length).map(infoOfNamespace)
    return path === '' ? infos : [...infos, rootNamespace]
  }

  /** Not deleted, and not made anew under another id. */
  isLive({ id, path }: NamespaceInfo): boolean {
    return this.at(path)?.id === id
  }

  /** Whether one that is live lies in the other or is it. */
  isBelow(outerId: string, innerId: string): boolean {
    const outer = this.byId(outerId)
    const inner = this.byId(innerId)
    return outer !== undefined && inner !== undefined && this.isLive(inner) && inner.path.startsWith(outer.path)
  }

  /** The lock that counts for a namespace: its own or the nearest above it. */
  lockOf(namespace: NamespaceInfo): NamespaceRow | undefined {
    if (this.#byPath.size === 0) return undefined
    const locked = this.rows.filter((row) => row.lock !== undefined && namespace.path.startsWith(row.path))
    return locked.sort((a, b) => b.path.length - a.path.length)[0]
  }
}

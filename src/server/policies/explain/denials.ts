import type { AclRequest } from '../shortfall.ts'

/** A request that policy refused, without anything that it carried. */
export interface Denial {
  readonly requestId: string
  readonly namespaceId: string
  /** Below that namespace. */
  readonly path: string
  readonly operation: AclRequest['operation']
  /** The caller's, of its token and of its identity. */
  readonly policies: readonly string[]
  readonly entityId: string
  readonly needsSudo: boolean
  /** 0: none was asked for. */
  readonly wrapTtlMs: number
}

export interface DenialsOptions {
  readonly max?: number
  /** Asks the other processes of this node. */
  readonly elsewhere?: (requestId: string) => Promise<Denial | undefined>
}

/** The last refusals of this process, so that the id in a 403 can be explained. Another node's are not here. */
export class Denials {
  readonly #max: number
  readonly #elsewhere: DenialsOptions['elsewhere']
  readonly #byId = new Map<string, Denial>()

  constructor(options: DenialsOptions = {}) {
    this.#max = options.max ?? 1000
    this.#elsewhere = options.elsewhere
  }

  note(denial: Denial): void {
    this.#byId.delete(denial.requestId)
    this.#byId.set(denial.requestId, denial)
    if (this.#byId.size <= this.#max) return
    const [oldest] = this.#byId.keys()
    if (oldest !== undefined) this.#byId.delete(oldest)
  }

  find(requestId: string): Denial | undefined {
    return this.#byId.get(requestId)
  }

  /** Of any process of this node. */
  async findAnywhere(requestId: string): Promise<Denial | undefined> {
    return this.find(requestId) ?? this.#elsewhere?.(requestId)
  }

  /** When the server seals. */
  clear(): void {
    this.#byId.clear()
  }
}

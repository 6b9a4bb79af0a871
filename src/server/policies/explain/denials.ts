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

/** The last refusals of this process, so that the id in a 403 can be explained. Another node's are not here. */
export class Denials {
  readonly #max: number
  readonly #byId = new Map<string, Denial>()

  constructor(options: { max?: number } = {}) {
    this.#max = options.max ?? 1000
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

  /** When the server seals. */
  clear(): void {
    this.#byId.clear()
  }
}

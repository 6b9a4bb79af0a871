import type { LiveToken } from './live-token.ts'

/** What the caller's policies say, as far as sys/ and auth/token/ ask. */
export interface CallerAcl {
  check(request: { readonly path: string; readonly operation: 'update' | 'read' }): {
    readonly allowed: boolean
    readonly sudo: boolean
    readonly root: boolean
  }
  capabilities(path: string): string[]
  reaches(prefix: string): boolean
}

export interface Presented {
  readonly token: string
  readonly live: LiveToken
  readonly acl: CallerAcl
}

/** The token behind a call, which calls themselves do not carry: the pipeline puts it here for sys/ and auth/token/ alone. */
export class PresentedTokens {
  readonly #tokens = new WeakMap<object, Presented>()

  set(call: object, presented: Presented): void {
    this.#tokens.set(call, presented)
  }

  get(call: object): Presented | undefined {
    return this.#tokens.get(call)
  }
}

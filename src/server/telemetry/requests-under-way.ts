import { createHash } from 'node:crypto'
import type { JsonObject } from '../../lib/json/value.ts'

/** The pipeline's exchange is one: nothing is made for it. */
export interface RequestUnderWay {
  /** Where it stands in the list; set by `add`. */
  slot: number
  readonly id: string
  /** Wall clock, ms. */
  readonly now: number
  readonly incoming: {
    readonly verb: string
    readonly path: string
    readonly remote: { readonly address: string; readonly port: number }
  }
  /** Known once the caller is proven. */
  readonly token?: {
    readonly caller: { readonly entityId: string; readonly policies: readonly string[] }
  }
}

const methods: Readonly<Record<string, string>> = {
  read: 'GET',
  help: 'GET',
  list: 'LIST',
  scan: 'SCAN',
  update: 'PUT',
  patch: 'PATCH',
  delete: 'DELETE',
  head: 'HEAD',
}

/**
 * What sys/in-flight-req shows. Slots and not a Set: V8 makes a Set's table anew again and again as requests come and go, the old
 * ones point to the new ones, and so the garbage collector carries each request along (measured: 20 % of the time of a read).
 */
export class RequestsUnderWay {
  readonly #slots: (RequestUnderWay | undefined)[] = []
  readonly #free: number[] = []

  add(request: RequestUnderWay): void {
    request.slot = this.#free.pop() ?? this.#slots.length
    this.#slots[request.slot] = request
  }

  remove(request: RequestUnderWay): void {
    this.#slots[request.slot] = undefined
    this.#free.push(request.slot)
  }

  get size(): number {
    return this.#slots.length - this.#free.length
  }

  /** Vault's members; no query and no body. */
  json(namespaceId: string): JsonObject {
    return Object.fromEntries(
      this.#slots
        .filter((request) => request !== undefined)
        .map(({ id, now, incoming, token }) => {
          const { address, port } = incoming.remote
          const shown: JsonObject = {
            start_time: new Date(now).toISOString(),
            client_remote_address: `${address.includes(':') ? `[${address}]` : address}:${port}`,
            request_path: `/v1/${incoming.path}`,
            request_method: methods[incoming.verb] ?? incoming.verb,
            client_id: token ? clientId(token.caller, namespaceId) : '',
          }
          return [id, shown]
        }),
    )
  }
}

/** Who cannot be told apart counts as one client: an entity, or all tokens without entity that have the same policies. */
function clientId(caller: { readonly entityId: string; readonly policies: readonly string[] }, namespace: string) {
  if (caller.entityId !== '') return caller.entityId
  const text = `${[...caller.policies].sort().join('\x7f')}\0${namespace}`
  return createHash('sha256').update(text).digest('base64')
}

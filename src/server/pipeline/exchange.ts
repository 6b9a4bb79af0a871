/** One request on its way: what `http` read, what the steps found out, what `http` will write. */
import type { Duplex } from 'node:stream'
import type { Json, JsonObject, RawJson } from '../../lib/json/value.ts'
import type { AuditedRequest } from '../contracts/audit.ts'
import type { IssuedLease } from '../contracts/leases.ts'
import type { Operation, Refusal, Verb, WrapInfo } from '../contracts/request.ts'
import type { Stored } from '../contracts/storage.ts'
import type { Mount } from '../mounts/mount.ts'
import type { MountView } from '../mounts/mount-table.ts'
import type { RouteMatch } from '../mounts/route-table.ts'
import type { NamespaceView } from '../namespaces/namespace-view.ts'
import type { Acl, Verdict } from '../policies/acl.ts'
import type { LiveToken } from '../tokens/live-token.ts'
import type { TokenRow } from '../tokens/token-row.ts'
import type { NamespaceNouns } from './access/namespace-nouns.ts'
import type { Deadline } from './deadline.ts'
import type { Converted } from './input/fields.ts'
import type { RequestLimits } from './input/request-limits.ts'
import type { LiveCall } from './live-call.ts'

export interface Incoming {
  /** 'help' for HELP and ?help=1. */
  readonly verb: Verb | 'help'
  /** Below /v1/, decoded; with a trailing slash for lists. */
  readonly path: string
  readonly query: Readonly<Record<string, string | readonly string[]>>
  readonly headers: Readonly<Record<string, string | undefined>>
  /** Empty when there is none. */
  readonly token: string
  /** As the header says, without surrounding slashes. */
  readonly namespace: string
  readonly wrapTtlMs: number
  readonly remote: { readonly address: string; readonly port: number }
  /** Absent or empty: no body. */
  readonly body?: Uint8Array
  /** Instead of `body`: for operations that read it themselves. */
  readonly stream?: AsyncIterable<Uint8Array>
  /** Of the listener that it came through. */
  readonly limits?: RequestLimits
  /** Calls back when the client goes away. */
  readonly onGone?: (listener: () => void) => void
}

export type Answer = {
  readonly status: number
  readonly requestId: string
  readonly headers?: Readonly<Record<string, string>>
} & (
  | {
      readonly kind: 'envelope'
      readonly data: Json | RawJson
      readonly lease?: IssuedLease
      /** lease_duration without a lease. */
      readonly leaseMs?: number
      readonly warnings: readonly string[]
      readonly auth: JsonObject | null
      readonly topLevel: boolean
    }
  | { readonly kind: 'wrapped'; readonly wrapped: WrapInfo }
  | { readonly kind: 'empty' }
  | {
      readonly kind: 'errors'
      readonly errors: readonly string[]
      readonly data?: Json
      readonly warnings?: readonly string[]
    }
  | { readonly kind: 'document'; readonly body: Json }
  | { readonly kind: 'raw'; readonly contentType: string; readonly body: Uint8Array | AsyncIterable<Uint8Array> }
  | { readonly kind: 'upgrade'; readonly accept: (socket: Duplex, head: Uint8Array) => void }
)

/** What this request made and what is revoked when its answer cannot be given. */
export interface Made {
  readonly id: string
  readonly token: string
  readonly row: TokenRow
  readonly identityPolicies: readonly string[]
}

/** Filled from top to bottom by the steps, in the order that pipeline.ts lists them. */
export interface Exchange {
  /** Among the requests under way. */
  slot: number
  readonly incoming: Incoming
  readonly id: string
  readonly now: number
  readonly warnings: string[]
  readonly deadline: Deadline
  /** Where the request is; set with `path` before anything is looked up. */
  nouns?: NamespaceNouns
  /** Below the namespace. */
  path: string
  /** The body's object or the query, before conversion. */
  given: JsonObject
  /** From here on a refusal is audited. */
  known: boolean
  /** What `nouns` and `mount` were found by: they hold as long as storage says that these do. */
  tree?: NamespaceView
  view?: MountView
  mount?: Mount
  match?: RouteMatch
  operation?: Operation
  converted?: Converted | Refusal
  rows?: Map<string, Stored | undefined>
  token?: LiveToken
  /** Asked with paths of the request's namespace. */
  acl?: Acl
  /** Where the token is at home. */
  home?: NamespaceNouns
  /** After this request; 0 when uses are not counted. */
  remainingUses: number
  /** This request was the token's last. */
  lastUse: boolean
  /** What `exists` said, for updates of routes that have it. */
  existed?: boolean
  verdict?: Verdict
  call?: LiveCall
  /** Set when the request's audit line is written apart from the response's. */
  audited?: AuditedRequest
  /** Of the answer, whatever it is: rate limits. */
  headers?: Readonly<Record<string, string>>
  /** 0: the answer is not wrapped. */
  wrapTtlMs: number
  /** What went out instead of the answer. */
  wrapped?: WrapInfo & { readonly id: string }
  made?: Made
  leaseId?: string
}

export const noInput: JsonObject = Object.freeze(Object.create(null))

/** With all its members from the start: an object that grows a member per step is copied again and again. */
export function newExchange(incoming: Incoming, id: string, now: number, deadline: Deadline): Exchange {
  return {
    slot: -1,
    incoming,
    id,
    now,
    warnings: [],
    deadline,
    nouns: undefined,
    path: incoming.path,
    given: noInput,
    known: false,
    tree: undefined,
    view: undefined,
    mount: undefined,
    match: undefined,
    operation: undefined,
    converted: undefined,
    rows: undefined,
    token: undefined,
    acl: undefined,
    home: undefined,
    remainingUses: 0,
    lastUse: false,
    existed: undefined,
    verdict: undefined,
    call: undefined,
    audited: undefined,
    headers: undefined,
    wrapTtlMs: incoming.wrapTtlMs,
    wrapped: undefined,
    made: undefined,
    leaseId: undefined,
  }
}

export const operationName = (x: Exchange): string =>
  x.incoming.verb === 'update' && x.existed === false ? 'create' : x.incoming.verb

import type { Duplex } from 'node:stream'
import type { Json, JsonObject, RawJson } from '../../lib/json/value.ts'
import type { LogFields } from '../../lib/log.ts'
import type { LoginGrant } from './access/auth.ts'
import type { BegunLogin } from './access/login-mfa.ts'
import type { NamespaceInfo } from './epochs.ts'
import type { Fields, InputOf } from './fields.ts'
import type { IssuedLease, Leases } from './leases.ts'
import type { SecretStorage, Tx } from './secret-storage.ts'

/** What a route can answer. POST and PUT are `update`; the pipeline turns it into `create` for policy when `exists` says no. */
export type Verb = 'read' | 'list' | 'scan' | 'update' | 'patch' | 'delete' | 'head'

export interface MountInfo {
  /** With its trailing slash and, for auth methods, the leading "auth/": "secret/", "auth/kubernetes/". */
  readonly path: string
  readonly class: 'secret' | 'auth'
  readonly type: string
  readonly description: string
  readonly accessor: string
  readonly uuid: string
  readonly local: boolean
  readonly sealWrap: boolean
  readonly options: Readonly<Record<string, string>> | null
  readonly config: MountConfig
}
export interface MountConfig {
  /** 0 = the system's default (32 days). */
  readonly defaultTtlMs: number
  readonly maxTtlMs: number
  readonly forceNoCache: boolean
  readonly tokenType: string
  readonly listingVisibility?: string
  readonly auditNonHmacRequestKeys: readonly string[]
  readonly auditNonHmacResponseKeys: readonly string[]
  readonly passthroughRequestHeaders: readonly string[]
  readonly allowedResponseHeaders: readonly string[]
  /** Of auth mounts; absent: as the server's configuration says. */
  readonly userLockout?: UserLockout
}

/** Logins that fail too often lock their user out for a while; what is absent is as the level above says. */
export type UserLockout = {
  readonly threshold?: number | undefined
  readonly durationMs?: number | undefined
  readonly counterResetMs?: number | undefined
  readonly disabled?: boolean | undefined
}

/** The caller, as the pipeline proved it. The token itself is not here. */
export interface Caller {
  /** Names the token in storage (an HMAC of it): rows that belong to a token are kept under it. */
  readonly id: string
  readonly accessor: string
  readonly displayName: string
  readonly policies: readonly string[]
  readonly entityId: string
  readonly type: 'service' | 'batch'
  readonly root: boolean
}

/** One request as its operation sees it. */
export interface Call<I = JsonObject> {
  readonly id: string
  /** For `update` routes the pipeline has already decided: 'create' or 'update'. */
  readonly operation: Verb | 'create'
  /** Below the mount, decoded once, no leading slash. */
  readonly path: string
  /** What the route's path captured. */
  readonly params: Readonly<Record<string, string>>
  /** Fields: converted and defaulted. 'free': the body's object, or the query for reads. */
  readonly input: I
  readonly mount: MountInfo
  readonly namespace: NamespaceInfo
  /** Undefined on public routes without a token. */
  readonly caller?: Caller
  readonly remote: { readonly address: string; readonly port: number }
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly signal: AbortSignal
  /** Wall clock of this request, ms. */
  readonly now: number
  readonly storage: SecretStorage
  readonly leases: Leases
  /** As SecretStorage.transaction; what `exists` read is among the checks of the first attempt. */
  transaction<T>(run: (tx: Tx) => Promise<T>): Promise<T>
  /** Refuses (403) in a commit whose rows must end with the caller's token, if it has ended: its row is among the checks. */
  checkCaller(tx: Tx): Promise<void>
  /** What the caller's policies permit at a path of this namespace ("secret/data/x"): for answers that show each reader what it may see. */
  permits(path: string, operation: Verb | 'create'): boolean
  /** Adds a line to the answer's `warnings`. */
  warn(text: string): void
  /** Told in place of an answer that can't be given: what has happened by now and is not undone with it. */
  stands(effect: StandingEffect): void
  /** For body: 'bytes' | 'stream'. */
  readonly body?: AsyncIterable<Uint8Array>
}

export interface StandingEffect {
  /** For the client and the log: as safe as a refusal's. */
  readonly words: string
  /** For the log. */
  readonly facts: LogFields
}

/** What goes out instead of an answer that was wrapped. */
export interface WrapInfo {
  readonly token: string
  readonly accessor: string
  readonly ttlMs: number
  readonly createdAt: number
  readonly creationPath: string
  /** Of the token that the wrapped answer made. */
  readonly wrappedAccessor?: string
}

/** The engine says what it returns, so the pipeline never asks which engine it was. */
export type Reply = {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly warnings?: readonly string[]
} & (
  | { readonly kind: 'none' }
  /** Members may be RawJson; `leaseMs` fills lease_duration without a lease (KV v1). `topLevel`: members also beside the envelope. */
  | {
      readonly kind: 'data'
      readonly data: JsonObject | RawJson
      readonly leaseMs?: number
      readonly topLevel?: boolean
    }
  /** From `leases.issue`, or a renewal (data null). */
  | { readonly kind: 'lease'; readonly data: Json; readonly lease: IssuedLease }
  /**
   * Only the pipeline mints tokens: it turns the grant into `auth`. `begun`: the login was another request's, and this one finishes it.
   * `user`: whose failures are forgotten with that; the pipeline fills it in.
   */
  | {
      readonly kind: 'login'
      readonly grant: LoginGrant
      readonly data?: Json
      readonly begun?: BegunLogin
      readonly user?: string
    }
  /** Token creation and renewal, which have made or changed their token: the members of `auth`. */
  | { readonly kind: 'auth'; readonly auth: JsonObject; readonly data?: Json }
  /** A complete envelope kept earlier, sent verbatim (unwrap). */
  | { readonly kind: 'stored'; readonly envelope: RawJson }
  /** In place of an answer: where it waits. `id` is the token's in storage. */
  | { readonly kind: 'wrapped'; readonly wrapped: WrapInfo & { readonly id: string } }
  /** A document without envelope (health, seal-status, init). */
  | { readonly kind: 'document'; readonly body: JsonObject }
  | { readonly kind: 'redirect'; readonly to: string }
  | { readonly kind: 'raw'; readonly contentType: string; readonly body: Uint8Array | AsyncIterable<Uint8Array> }
  | { readonly kind: 'upgrade'; accept(socket: Duplex, head: Uint8Array): void }
)

/** The one way to say no. `errors` are safe for the client by definition; everything else goes in `cause`. */
export class Refusal extends Error {
  override name = 'Refusal'
  readonly status: number
  readonly errors: readonly string[]
  readonly with: {
    readonly data?: Json
    readonly warnings?: readonly string[]
    readonly headers?: Readonly<Record<string, string>>
  }

  constructor(status: number, errors: string | readonly string[], more: Refusal['with'] & { cause?: unknown } = {}) {
    const list = typeof errors === 'string' ? [errors] : errors
    super(list[0] ?? `status ${status}`, { cause: more.cause })
    this.status = status
    this.errors = list
    this.with = more
  }
}

/**
 * `path` is below the mount, segments by '/': `{name}` captures one segment, `{name...}` the rest (at least one
 * character, slashes and a trailing slash included), `{name...?}` the rest or nothing. Literals may follow such a rest, as in
 * `mounts/{path...}/tune`: they are the path's last segments. The most literal route wins.
 */
export interface Route {
  readonly path: string
  readonly summary: string
  readonly on: Partial<Record<Verb, Operation>>
  /** Decides create or update for policy; runs on the call's transaction. Absent: all writes are `update`. */
  exists?(call: Call): Promise<boolean>
}

// biome-ignore lint/suspicious/noExplicitAny: the default of a contract kept in mixed lists
export interface Operation<F extends Fields | 'free' = any> {
  readonly input: F
  readonly output?: unknown
  handle(call: Call<InputOf<F>>): Promise<Reply>
  /** Default 'token'. 'sudo' needs the sudo capability besides the verb's. 'public' skips token and policy. */
  readonly access?: 'token' | 'optional' | 'public' | 'sudo'
  /** What may remain when the answer is lost. 'none' lets both audit lines go in one group. Default: 'none' for read and list, else 'storage'. */
  readonly effect?: 'none' | 'storage' | 'outside'
  /** Storage keys (view prefix included) fetched in the same read as the authority rows. */
  reads?(call: Pick<Call, 'params' | 'storage' | 'input'>): readonly string[]
  readonly body?: 'json' | 'bytes' | 'stream'
  readonly deadline?: 'none'
  readonly sealed?: 'allowed'
  readonly namespaces?: 'root'
}

/** Keeps the inferred input type of one operation while lists hold the general one. */
export function operation<const F extends Fields | 'free'>(op: Operation<F>): Operation {
  return op
}

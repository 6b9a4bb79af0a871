import type { JsonObject, RawJson } from '../../lib/json/value.ts'
import type { NamespaceInfo } from './epochs.ts'
import type { MountInfo } from './request.ts'

/** What the pipeline tells the audit broker. Secrets are passed in clear; the broker's devices only ever see HMACs of them. */
export interface AuditedAuth {
  /** The token itself; empty when there was none. */
  readonly clientToken: string
  readonly accessor: string
  readonly displayName: string
  readonly policies: readonly string[]
  readonly tokenPolicies: readonly string[]
  readonly identityPolicies: readonly string[]
  readonly noDefaultPolicy: boolean
  readonly policyResults?: {
    readonly allowed: boolean
    readonly granting: readonly {
      readonly name: string
      readonly namespace: NamespaceInfo
      readonly type: string
    }[]
  }
  readonly metadata: Readonly<Record<string, string>> | null
  readonly entityId: string
  readonly tokenType: 'service' | 'batch' | 'default'
  /** Milliseconds; 0 for a token that does not expire. */
  readonly tokenTtlMs: number
  readonly tokenIssuedAt: number
  readonly remainingUses: number
  /** Stands for all the rest but `policyResults` and `remainingUses`: what has the same holder is the same, and its text is made once. */
  readonly holder?: object
}

export interface AuditedRequest {
  readonly id: string
  /** Wall clock, ms. */
  readonly at: number
  /** 'read', 'list', 'create', 'update', 'patch', 'delete', 'head', 'help', 'scan'. */
  readonly operation: string
  readonly path: string
  readonly namespace: NamespaceInfo
  /** Undefined when no mount answers. */
  readonly mount?: MountInfo
  readonly data: JsonObject | RawJson | undefined
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly remote: { readonly address: string; readonly port: number }
  readonly wrapTtlMs: number
  /** Undefined when the caller is not known (public route, bad token). */
  readonly auth?: AuditedAuth
  /** Why it was refused, in the words the client gets. */
  readonly error?: string
}

export interface AuditedResponse {
  readonly at: number
  readonly data: JsonObject | RawJson | undefined
  readonly warnings: readonly string[]
  readonly leaseId?: string
  /** The token that a login or a token creation made. */
  readonly auth?: AuditedAuth
  readonly redirect?: string
  /** The answer went into a wrapping token. */
  readonly wrap?: {
    readonly token: string
    readonly accessor: string
    readonly ttlMs: number
    readonly createdAt: number
    readonly creationPath: string
    readonly wrappedAccessor?: string
  }
  readonly headers?: Readonly<Record<string, string>>
  readonly error?: string
}

/** Rejects when devices are enabled and none took the lines: the caller answers 500 and has no effect (request) or undoes what it can (response). */
export interface Auditor {
  request(request: AuditedRequest): Promise<void>
  response(request: AuditedRequest, response: AuditedResponse): Promise<void>
  /** Both lines in one group, for operations without effect. */
  exchange(request: AuditedRequest, response: AuditedResponse): Promise<void>
}

/** What a token is made from. */
import type { LoginGrant } from '../contracts/access/auth.ts'
import type { TokenRow } from './token-row.ts'

export interface NewToken {
  /** Id of the namespace where it counts. */
  readonly namespace: string
  /** Default: service. */
  readonly type?: 'service' | 'batch'
  /** A token chosen by the caller; else `hvs.` and 24 random characters. Service tokens of the root namespace only. */
  readonly token?: string
  /** The id of the token that it dies with. */
  readonly parent?: string
  readonly policies: readonly string[]
  readonly path: string
  readonly meta: Readonly<Record<string, string>> | null
  readonly displayName: string
  readonly numUses: number
  /** 0: never expires. */
  readonly ttlMs: number
  readonly explicitMaxTtlMs: number
  readonly periodMs: number
  readonly renewable: boolean
  readonly entityId: string
  readonly boundCidrs: readonly string[]
  readonly noDefaultPolicy: boolean
  readonly mount: string
  /** The token role that made it. */
  readonly role?: string
  readonly login?: LoginGrant
}

export function newTokenRow(wanted: NewToken, accessor: string, now: number, ancestors: readonly string[]): TokenRow {
  const type = wanted.type ?? 'service'
  return {
    format: 1,
    namespace: wanted.namespace,
    accessor,
    ancestors,
    policies: wanted.policies,
    path: wanted.path,
    meta: wanted.meta,
    displayName: wanted.displayName,
    numUses: wanted.numUses,
    createdAt: now,
    creationTtlMs: wanted.ttlMs,
    expiresAt: wanted.ttlMs > 0 ? now + wanted.ttlMs : 0,
    explicitMaxTtlMs: wanted.explicitMaxTtlMs,
    periodMs: wanted.periodMs,
    renewable: type === 'service' && wanted.renewable && wanted.ttlMs > 0,
    renewedAt: 0,
    entityId: wanted.entityId,
    type,
    boundCidrs: wanted.boundCidrs,
    noDefaultPolicy: wanted.noDefaultPolicy,
    mount: wanted.mount,
    ...(wanted.role === undefined ? {} : { role: wanted.role }),
    ...(wanted.login ? { login: wanted.login } : {}),
  }
}

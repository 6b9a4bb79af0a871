/** What the audit lines of a request say. */
import { type JsonObject, RawJson } from '../../../lib/json/value.ts'
import type { AuditedAuth, AuditedRequest, AuditedResponse } from '../../contracts/audit.ts'
import { rootNamespace } from '../../contracts/epochs.ts'
import { unitedPolicies } from '../../tokens/token-policies.ts'
import type { TokenRow } from '../../tokens/token-row.ts'
import { type Answer, type Exchange, operationName } from '../exchange.ts'

export function auditedRequest(x: Exchange, error?: string): AuditedRequest {
  const { incoming } = x
  return {
    id: x.id,
    at: x.now,
    operation: operationName(x),
    path: x.path,
    namespace: x.nouns?.info ?? rootNamespace,
    mount: x.mount?.info,
    data: hasMembers(x.given) ? x.given : undefined,
    headers: incoming.headers,
    remote: incoming.remote,
    wrapTtlMs: x.wrapTtlMs,
    auth: callerAuth(x),
    error,
  }
}

export function auditedResponse(x: Exchange, answer: Answer, at: number): AuditedResponse {
  const warnings = 'warnings' in answer ? (answer.warnings ?? noWarnings) : noWarnings
  const data = 'data' in answer ? answer.data : answer.kind === 'document' ? answer.body : undefined
  const { made, wrapped } = x
  return {
    at,
    data: isObject(data) ? data : undefined,
    warnings,
    leaseId: answer.kind === 'envelope' ? answer.lease?.id : undefined,
    auth: made && !wrapped ? auditedAuth(made.token, made.row, made.row.numUses, made.identityPolicies) : undefined,
    redirect: answer.headers?.['Location'],
    wrap: wrapped,
    headers: answer.headers,
    error: answer.kind === 'errors' && answer.errors.length > 0 ? answer.errors.join('; ') : undefined,
  }
}

const noWarnings: readonly string[] = []

function callerAuth(x: Exchange): AuditedAuth | undefined {
  const { token, verdict } = x
  if (!token) return undefined
  return auditedAuth(x.incoming.token, token.row, x.remainingUses, token.identityPolicies, verdict, token)
}

function auditedAuth(
  clientToken: string,
  row: TokenRow,
  remainingUses: number,
  identityPolicies: readonly string[],
  policyResults?: AuditedAuth['policyResults'],
  holder?: object,
): AuditedAuth {
  return {
    clientToken,
    accessor: row.accessor,
    displayName: row.displayName,
    policies: unitedPolicies(row.policies, identityPolicies),
    tokenPolicies: row.policies,
    identityPolicies,
    noDefaultPolicy: row.noDefaultPolicy,
    policyResults,
    metadata: row.meta,
    entityId: row.entityId,
    tokenType: row.type,
    tokenTtlMs: row.creationTtlMs,
    tokenIssuedAt: row.createdAt,
    remainingUses,
    holder,
  }
}

function hasMembers(object: JsonObject): boolean {
  for (const _ in object) return true
  return false
}

const isObject = (value: unknown): value is JsonObject | RawJson =>
  value instanceof RawJson || (typeof value === 'object' && value !== null && !Array.isArray(value))

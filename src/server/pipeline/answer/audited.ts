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
    ...(error === undefined ? {} : { error }),
  }
}

export function auditedResponse(x: Exchange, answer: Answer, at: number): AuditedResponse {
  const warnings = 'warnings' in answer ? (answer.warnings ?? []) : []
  const data = 'data' in answer ? answer.data : answer.kind === 'document' ? answer.body : undefined
  return {
    at,
    data: isObject(data) ? data : undefined,
    warnings,
    ...(answer.kind === 'envelope' && answer.lease ? { leaseId: answer.lease.id } : {}),
    ...(x.wrapped ? { wrap: x.wrapped } : {}),
    ...(x.made && !x.wrapped
      ? { auth: auditedAuth(x.made.token, x.made.row, x.made.row.numUses, x.made.identityPolicies) }
      : {}),
    ...(answer.headers?.['Location'] ? { redirect: answer.headers['Location'] } : {}),
    ...(answer.headers ? { headers: answer.headers } : {}),
    ...(answer.kind === 'errors' && answer.errors.length > 0 ? { error: answer.errors.join('; ') } : {}),
  }
}

function callerAuth(x: Exchange): AuditedAuth | undefined {
  if (!x.token) return undefined
  const { verdict } = x
  const results = verdict && { allowed: verdict.allowed, granting: verdict.granting }
  return auditedAuth(x.incoming.token, x.token.row, x.remainingUses, x.token.identityPolicies, results)
}

function auditedAuth(
  clientToken: string,
  row: TokenRow,
  remainingUses: number,
  identityPolicies: readonly string[],
  policyResults?: AuditedAuth['policyResults'],
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
  }
}

function hasMembers(object: JsonObject): boolean {
  for (const _ in object) return true
  return false
}

const isObject = (value: unknown): value is JsonObject | RawJson =>
  value instanceof RawJson || (typeof value === 'object' && value !== null && !Array.isArray(value))

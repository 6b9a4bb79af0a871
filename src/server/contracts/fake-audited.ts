import type { AuditedAuth, AuditedRequest } from './audit.ts'
import { rootNamespace } from './epochs.ts'

/** For tests: a read that no token came with. */
export function fakeAudited(more: Partial<AuditedRequest> = {}): AuditedRequest {
  return {
    id: 'r1',
    at: 1000,
    operation: 'read',
    path: 'secret/x',
    namespace: rootNamespace,
    data: undefined,
    headers: {},
    remote: { address: '127.0.0.1', port: 5 },
    wrapTtlMs: 0,
    ...more,
  }
}

/** For tests: a token of which nothing is known but what `more` says. */
export function fakeAuth(more: Partial<AuditedAuth> = {}): AuditedAuth {
  return {
    clientToken: '',
    accessor: '',
    displayName: '',
    policies: [],
    tokenPolicies: [],
    identityPolicies: [],
    noDefaultPolicy: false,
    metadata: null,
    entityId: '',
    tokenType: 'service',
    tokenTtlMs: 0,
    tokenIssuedAt: 0,
    remainingUses: 0,
    ...more,
  }
}

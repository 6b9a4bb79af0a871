/** What a batch token carries: only what is not the same for all of them, as it goes over the wire with every request. */
import type { JsonObject } from '../../../lib/json/value.ts'
import type { LoginGrant } from '../../contracts/access/auth.ts'
import { rootNamespace } from '../../contracts/epochs.ts'
import { type TokenRow, tokenRowSchema } from '../token-row.ts'

/** A login's token says that a login made it; what renewals would need is left out, as there are none. */
const noGrant: LoginGrant = {
  displayName: '',
  policies: [],
  metadata: {},
  ttlMs: 0,
  maxTtlMs: 0,
  explicitMaxTtlMs: 0,
  periodMs: 0,
  numUses: 0,
  renewable: false,
  noDefaultPolicy: false,
  boundCidrs: [],
  tokenType: 'batch',
  internal: {},
}

/** Names are part of the format: never to be used for anything else. */
export function batchForm(row: TokenRow): JsonObject {
  return {
    ...(row.namespace === rootNamespace.id ? {} : { n: row.namespace }),
    ...(row.ancestors.length > 0 ? { a: row.ancestors.map((id) => Buffer.from(id, 'hex').toString('base64url')) } : {}),
    p: row.policies,
    t: row.path,
    ...(row.meta ? { m: row.meta } : {}),
    d: row.displayName,
    c: row.createdAt,
    l: row.creationTtlMs,
    ...(row.entityId === '' ? {} : { e: row.entityId }),
    ...(row.boundCidrs.length > 0 ? { b: row.boundCidrs } : {}),
    ...(row.noDefaultPolicy ? { o: true } : {}),
    u: row.mount,
    ...(row.role === undefined ? {} : { r: row.role }),
    ...(row.login ? { g: true } : {}),
  }
}

/** Throws on what batchForm can't have made. */
export function rowOfBatch(value: unknown): TokenRow {
  const form: Record<string, unknown> = { ...(typeof value === 'object' && value !== null ? value : {}) }
  const ancestors = Array.isArray(form['a'])
    ? form['a'].map((id) => Buffer.from(String(id), 'base64url').toString('hex'))
    : []
  return tokenRowSchema.parse({
    format: 1,
    namespace: form['n'] ?? rootNamespace.id,
    accessor: '',
    ancestors,
    policies: form['p'],
    path: form['t'],
    meta: form['m'] ?? null,
    displayName: form['d'],
    numUses: 0,
    createdAt: form['c'],
    creationTtlMs: form['l'],
    expiresAt: Number(form['c']) + Number(form['l']),
    explicitMaxTtlMs: 0,
    periodMs: 0,
    renewable: false,
    renewedAt: 0,
    entityId: form['e'] ?? '',
    type: 'batch',
    boundCidrs: form['b'] ?? [],
    noDefaultPolicy: form['o'] === true,
    mount: form['u'],
    ...(form['r'] === undefined ? {} : { role: form['r'] }),
    ...(form['g'] === true ? { login: noGrant } : {}),
  })
}

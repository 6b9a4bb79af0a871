/** A lease as storage keeps it. */
import * as z from 'zod'
import type { Json } from '../../lib/json/value.ts'
import { rootNamespace } from '../contracts/epochs.ts'

/**
 *     issue ── pending ──effect done──> active ──due, revoked──> (row removed)
 *                 │                       │
 *                 └──due after 5 min──────┴── revocation fails 6 times ──> irrevocable (kept, listed)
 */
export interface LeaseRow {
  readonly format: 1
  readonly id: string
  /** The namespace's id; absent: root. */
  readonly namespace?: string
  /** Where it came from, without the random end of the id: "database/creds/my-role". */
  readonly path: string
  readonly mount: string
  readonly handler: string
  readonly state: Json
  /** The id (not the token) of the token that asked; '' for none. */
  readonly token: string
  readonly status: 'pending' | 'active' | 'irrevocable'
  readonly issuedAt: number
  readonly expiresAt: number
  /** When the sweep comes for it; differs from expiresAt while pending and after failures. 0: never. */
  readonly dueAt: number
  readonly ttlMs: number
  /** 0: no limit. */
  readonly maxTtlMs: number
  /** The end of a token that cannot be asked any more when it ends (batch): neither issue nor renewal goes past it. */
  readonly notAfter?: number
  readonly renewable: boolean
  readonly renewedAt: number | null
  readonly attempts: number
  /** Safe to show: never what a handler's error says. */
  readonly lastError?: string
  /** Who is revoking it, so that nobody else does at the same time; it counts until then. */
  readonly held?: { readonly by: string; readonly until: number }
}

export const leaseRowSchema: z.ZodType<LeaseRow> = z.looseObject({
  format: z.literal(1),
  id: z.string(),
  namespace: z.string().optional(),
  path: z.string(),
  mount: z.string(),
  handler: z.string(),
  state: z.custom<Json>((value) => value !== undefined),
  token: z.string(),
  status: z.enum(['pending', 'active', 'irrevocable']),
  issuedAt: z.number(),
  expiresAt: z.number(),
  dueAt: z.number(),
  ttlMs: z.number(),
  maxTtlMs: z.number(),
  notAfter: z.number().optional(),
  renewable: z.boolean(),
  renewedAt: z.number().nullable(),
  attempts: z.number(),
  lastError: z.string().optional(),
  held: z.object({ by: z.string(), until: z.number() }).optional(),
})

/** The last segment of the id: unique, so it names index and due rows. */
export const leaseKey = (id: string) => id.slice(id.lastIndexOf('/') + 1)
export const namespaceOf = (row: LeaseRow) => row.namespace ?? rootNamespace.id

/** When nobody may use it any more at the latest; undefined: never. */
export function lastMoment(row: LeaseRow): number | undefined {
  const byMax = row.maxTtlMs > 0 ? row.issuedAt + row.maxTtlMs : Number.POSITIVE_INFINITY
  const end = Math.min(byMax, row.notAfter ?? Number.POSITIVE_INFINITY)
  return Number.isFinite(end) ? end : undefined
}

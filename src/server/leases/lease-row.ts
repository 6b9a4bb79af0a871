/** A lease as storage keeps it. */
import { z } from 'zod'
import type { Json } from '../../lib/json/value.ts'

/**
 *     issue ── pending ──effect done──> active ──due, revoked──> (row removed)
 *                 │                       │
 *                 └──due after 5 min──────┴── revocation fails 6 times ──> irrevocable (kept, listed)
 */
export interface LeaseRow {
  readonly format: 1
  readonly id: string
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
  readonly renewable: boolean
  readonly renewedAt: number | null
  readonly attempts: number
  readonly lastError?: string
}

export const leaseRowSchema: z.ZodType<LeaseRow> = z.looseObject({
  format: z.literal(1),
  id: z.string(),
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
  renewable: z.boolean(),
  renewedAt: z.number().nullable(),
  attempts: z.number(),
  lastError: z.string().optional(),
})

/** The random end of the id: unique, so it names index and due rows. */
export const leaseKey = (id: string) => id.slice(id.lastIndexOf('/') + 1)

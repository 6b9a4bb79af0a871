/** A mount as storage keeps it, and its limits. */
import * as z from 'zod'
import type { JsonObject } from '../../lib/json/value.ts'
import type { MountConfig, MountInfo } from '../contracts/request.ts'

export interface MountRow extends MountInfo {
  readonly format: 1
  /** Marked by `disable`: no longer routed; its leases and rows are being removed. */
  readonly removing?: boolean
}

const names = z.array(z.string()).default([])
export const mountConfigSchema = z.object({
  defaultTtlMs: z.number().default(0),
  maxTtlMs: z.number().default(0),
  forceNoCache: z.boolean().default(false),
  tokenType: z.string().default(''),
  listingVisibility: z.string().optional(),
  auditNonHmacRequestKeys: names,
  auditNonHmacResponseKeys: names,
  passthroughRequestHeaders: names,
  allowedResponseHeaders: names,
  userLockout: z
    .object({
      threshold: z.number().optional(),
      durationMs: z.number().optional(),
      counterResetMs: z.number().optional(),
      disabled: z.boolean().optional(),
    })
    .optional(),
})

export const mountRowSchema: z.ZodType<MountRow> = z.looseObject({
  format: z.literal(1),
  path: z.string(),
  class: z.enum(['secret', 'auth']),
  type: z.string(),
  description: z.string(),
  accessor: z.string(),
  uuid: z.string(),
  local: z.boolean(),
  sealWrap: z.boolean(),
  options: z.record(z.string(), z.string()).nullable(),
  config: mountConfigSchema,
  removing: z.boolean().optional(),
})

export const defaultConfig: MountConfig = {
  defaultTtlMs: 0,
  maxTtlMs: 0,
  forceNoCache: false,
  tokenType: '',
  auditNonHmacRequestKeys: [],
  auditNonHmacResponseKeys: [],
  passthroughRequestHeaders: [],
  allowedResponseHeaders: [],
}

export function infoOf(row: MountRow): MountInfo {
  const { format: _, removing: __, ...info } = row
  return info
}

export const mountRowJson = (row: MountRow): JsonObject => ({ ...row, config: { ...row.config } })

/**
 * Rows of login MFA, below `ns/<id>/identity/mfa/`:
 *
 *     method/<id>                      how passcodes are made and judged
 *     method-name/<h(name)>            -> method; only of methods that have a name
 *     enforcement/<name>               which logins need which methods
 *     enforcements                     changes with each of them, and counts them
 *     secret/<entity>/<method>         the key of a person's passcodes; the method may be one of a namespace above
 *     holder/<method>/<entity>         the same by method
 *     state/<method>/<entity>          passcodes that were used, and failures; until it is due
 *     request/<h(request id)>          a login that waits for its second factor; until it is due
 *     erase/<method>                   a deletion that has still to remove secrets
 */
import { createHash } from 'node:crypto'
import * as z from 'zod'
import type { JsonObject } from '../../../lib/json/value.ts'
import type { TotpAlgorithm } from '../../../lib/totp.ts'
import type { LoginGrant } from '../../contracts/access/auth.ts'

export type MethodRow = {
  readonly format: 1
  readonly id: string
  /** '' for none. */
  readonly name: string
  readonly issuer: string
  /** Seconds. */
  readonly period: number
  readonly digits: number
  readonly algorithm: TotpAlgorithm
  readonly skew: number
  /** Bytes. */
  readonly keySize: number
  /** Pixels; 0: no picture. */
  readonly qrSize: number
  readonly maxAttempts: number
  /** Who has no key gets one while logging in. Rows of before there was this say nothing. */
  readonly selfEnrollment?: boolean | undefined
  /** Changes when an enforcement begins to use it, so that one that is being deleted is not. */
  readonly touched: string
}

export type EnforcementRow = {
  readonly format: 1
  readonly id: string
  readonly name: string
  readonly methodIds: readonly string[]
  readonly accessors: readonly string[]
  readonly mountTypes: readonly string[]
  readonly groupIds: readonly string[]
  readonly entityIds: readonly string[]
}

/** Parameters stay as they were when the app got the key. */
export type SecretRow = {
  readonly format: 1
  /** base64 */
  readonly key: string
  readonly period: number
  readonly digits: number
  readonly algorithm: TotpAlgorithm
  readonly skew: number
}

export type StateRow = {
  readonly format: 1
  /** Counters whose passcode was accepted and could still be shown again. */
  readonly used: readonly number[]
  readonly attempts: number
  /** Then attempts count from 0 again. */
  readonly windowEndsAt: number
  readonly dueAt: number
}

export type RequestRow = {
  readonly format: 1
  readonly entityId: string
  readonly mountUuid: string
  readonly path: string
  readonly grant: LoginGrant
  readonly user?: string | undefined
  /** By method: keys that were shown for this login, and become the entity's with their first right passcode. */
  readonly offered?: Readonly<Record<string, SecretRow>> | undefined
  readonly dueAt: number
}

const algorithms = ['SHA1', 'SHA256', 'SHA512'] as const
const strings = z.array(z.string())
const parameters = {
  format: z.literal(1),
  period: z.number().positive(),
  digits: z.number(),
  algorithm: z.enum(algorithms),
  skew: z.number(),
}
export const methodSchema: z.ZodType<MethodRow> = z.looseObject({
  ...parameters,
  id: z.string(),
  name: z.string(),
  issuer: z.string(),
  keySize: z.number(),
  qrSize: z.number(),
  maxAttempts: z.number(),
  selfEnrollment: z.boolean().optional(),
  touched: z.string(),
})
export const enforcementSchema: z.ZodType<EnforcementRow> = z.looseObject({
  format: z.literal(1),
  id: z.string(),
  name: z.string(),
  methodIds: strings,
  accessors: strings,
  mountTypes: strings,
  groupIds: strings,
  entityIds: strings,
})
export const secretSchema: z.ZodType<SecretRow> = z.looseObject({ ...parameters, key: z.string() })
export const stateSchema: z.ZodType<StateRow> = z.looseObject({
  format: z.literal(1),
  used: z.array(z.number()),
  attempts: z.number(),
  windowEndsAt: z.number(),
  dueAt: z.number(),
})
const grantSchema: z.ZodType<LoginGrant> = z.looseObject({
  displayName: z.string(),
  policies: strings,
  metadata: z.record(z.string(), z.string()),
  ttlMs: z.number(),
  maxTtlMs: z.number(),
  explicitMaxTtlMs: z.number(),
  periodMs: z.number(),
  numUses: z.number(),
  renewable: z.boolean(),
  noDefaultPolicy: z.boolean(),
  boundCidrs: strings,
  tokenType: z.enum(['default', 'service', 'batch', 'default-service', 'default-batch']),
  internal: z.custom<JsonObject>((value) => typeof value === 'object' && value !== null),
})
export const requestSchema: z.ZodType<RequestRow> = z.looseObject({
  format: z.literal(1),
  entityId: z.string(),
  mountUuid: z.string(),
  path: z.string(),
  grant: grantSchema,
  user: z.string().optional(),
  offered: z.record(z.string(), secretSchema).optional(),
  dueAt: z.number(),
})
export const pointerSchema: z.ZodType<{ id: string }> = z.looseObject({ id: z.string() })
export const emptySchema = { parse: (value: unknown) => value }
export const countSchema: z.ZodType<{ count: number }> = z.looseObject({ count: z.number() })

export const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex')

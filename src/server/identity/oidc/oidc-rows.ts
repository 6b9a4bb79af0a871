import * as z from 'zod'
import type { JsonObject } from '../../../lib/json/value.ts'
import { type Algorithm, algorithms } from './signing.ts'

export type SigningKey = {
  readonly kid: string
  readonly algorithm: Algorithm
  readonly publicKey: JsonObject
  /** Only of the key that signs and of the one that will; PKCS #8 in base64. */
  readonly privateKey?: string | undefined
  /** After rotation: until when it is published, milliseconds since the epoch. */
  readonly expiresAt?: number | undefined
}

export type KeyRow = {
  readonly format: 1
  readonly algorithm: Algorithm
  readonly rotationMs: number
  readonly verificationMs: number
  readonly allowed: readonly string[]
  /** Roles that sign with it: as long as there are any it stays. */
  readonly roles: readonly { readonly name: string; readonly ttlMs: number }[]
  /** Clients of the provider, alike. Rows of before there were any have none. */
  readonly clients?: readonly KeyClient[] | undefined
  readonly rotateAt: number
  readonly current: SigningKey
  /** Published before it signs, so that verifiers know it by then. */
  readonly next: SigningKey
  readonly former: readonly SigningKey[]
}

export type KeyClient = {
  readonly name: string
  readonly id: string
  readonly ttlMs: number
}

export type RoleRow = {
  readonly format: 1
  readonly key: string
  readonly template: string
  readonly ttlMs: number
  readonly clientId: string
}

export type ConfigRow = { readonly format: 1; readonly issuer: string }

const signingKey = z.looseObject({
  kid: z.string(),
  algorithm: z.enum(algorithms),
  publicKey: z.record(z.string(), z.string()),
  privateKey: z.string().optional(),
  expiresAt: z.number().optional(),
})
export const keyRowSchema: z.ZodType<KeyRow> = z.looseObject({
  format: z.literal(1),
  algorithm: z.enum(algorithms),
  rotationMs: z.number(),
  verificationMs: z.number(),
  allowed: z.array(z.string()),
  roles: z.array(z.looseObject({ name: z.string(), ttlMs: z.number() })),
  clients: z.array(z.looseObject({ name: z.string(), id: z.string(), ttlMs: z.number() })).optional(),
  rotateAt: z.number(),
  current: signingKey,
  next: signingKey,
  former: z.array(signingKey),
})
export const roleRowSchema: z.ZodType<RoleRow> = z.looseObject({
  format: z.literal(1),
  key: z.string(),
  template: z.string(),
  ttlMs: z.number(),
  clientId: z.string(),
})
export const configRowSchema: z.ZodType<ConfigRow> = z.looseObject({ format: z.literal(1), issuer: z.string() })

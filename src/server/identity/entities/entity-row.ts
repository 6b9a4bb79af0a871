/** An entity as storage keeps it, with its aliases inside: they are few (one per mount) and always wanted together. */
import * as z from 'zod'

export type StringMap = Readonly<Record<string, string>>

export type AliasRow = {
  readonly id: string
  readonly name: string
  readonly mountAccessor: string
  /** What the auth method said at the last login. */
  readonly metadata: StringMap
  /** What an administrator said. */
  readonly customMetadata: StringMap
  /** Entities that this alias belonged to before they were merged. */
  readonly mergedFrom: readonly string[]
  /** Names of external groups that the last login vouched for; only those with a group alias. */
  readonly groups: readonly string[]
  /** Milliseconds since the epoch, here and below. */
  readonly createdAt: number
  readonly updatedAt: number
}

export type EntityRow = {
  readonly format: 1
  readonly id: string
  readonly name: string
  readonly policies: readonly string[]
  readonly metadata: StringMap
  readonly disabled: boolean
  readonly aliases: readonly AliasRow[]
  readonly mergedIds: readonly string[]
  /** Second factors, as `<entity>/<method>`: of this entity and of those that were merged into it. */
  readonly mfaSecrets?: readonly string[] | undefined
  readonly createdAt: number
  readonly updatedAt: number
}

/** What remains of an entity that was merged: its tokens live on as the other's. */
export type MergedRow = { readonly format: 1; readonly mergedInto: string }

const strings = z.array(z.string())
const map = z.record(z.string(), z.string())
const aliasSchema = z.looseObject({
  id: z.string(),
  name: z.string(),
  mountAccessor: z.string(),
  metadata: map,
  customMetadata: map,
  mergedFrom: strings,
  groups: strings,
  createdAt: z.number(),
  updatedAt: z.number(),
})
const entitySchema = z.looseObject({
  format: z.literal(1),
  id: z.string(),
  name: z.string(),
  policies: strings,
  metadata: map,
  disabled: z.boolean(),
  aliases: z.array(aliasSchema),
  mergedIds: strings,
  mfaSecrets: strings.optional(),
  createdAt: z.number(),
  updatedAt: z.number(),
})
const mergedSchema = z.looseObject({ format: z.literal(1), mergedInto: z.string() })

export const entityRowSchema: z.ZodType<EntityRow | MergedRow> = z.union([mergedSchema, entitySchema])

/** Undefined for what was merged: to everyone but its tokens it is gone. */
export function liveEntity(row: EntityRow | MergedRow | undefined): EntityRow | undefined {
  return row === undefined || 'mergedInto' in row ? undefined : row
}

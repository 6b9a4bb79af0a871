/**
 * A group as storage keeps it. Its members lie with it, not with the entities, in pieces of 5,000: setting 10,000 members is
 * then one commit of three rows, where a row per member would be 20,000 rows (a commit has 256) and a row of all would pass
 * the limit of a value. Who asks for the groups of an entity asks the compiled index (group-index.ts). Members of external
 * groups are not here at all: they are what the aliases' last logins vouched for, so that a login changes no group.
 */
import * as z from 'zod'
import type { StringMap } from '../entities/entity-row.ts'

export const membersPerRow = 5000
/** What one commit can carry with room to spare. */
export const maxMembers = 150_000

export type GroupAliasRow = {
  readonly id: string
  readonly name: string
  readonly mountAccessor: string
  readonly createdAt: number
  readonly updatedAt: number
}

export type GroupRow = {
  readonly format: 1
  readonly id: string
  readonly name: string
  readonly type: 'internal' | 'external'
  readonly policies: readonly string[]
  readonly metadata: StringMap
  /** The first of the member entities. */
  readonly members: readonly string[]
  /** How many further rows hold the others. */
  readonly more: number
  /** Member groups; one that is gone counts for nothing. */
  readonly groups: readonly string[]
  readonly alias?: GroupAliasRow | undefined
  readonly createdAt: number
  readonly updatedAt: number
  readonly modifyIndex: number
}

export type MemberRow = { readonly format: 1; readonly members: readonly string[] }

const strings = z.array(z.string())
export const groupRowSchema: z.ZodType<GroupRow> = z.looseObject({
  format: z.literal(1),
  id: z.string(),
  name: z.string(),
  type: z.enum(['internal', 'external']),
  policies: strings,
  metadata: z.record(z.string(), z.string()),
  members: strings,
  more: z.number(),
  groups: strings,
  alias: z
    .looseObject({
      id: z.string(),
      name: z.string(),
      mountAccessor: z.string(),
      createdAt: z.number(),
      updatedAt: z.number(),
    })
    .optional(),
  createdAt: z.number(),
  updatedAt: z.number(),
  modifyIndex: z.number(),
})
export const memberRowSchema: z.ZodType<MemberRow> = z.looseObject({ format: z.literal(1), members: strings })

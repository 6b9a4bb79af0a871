/** A token role: what tokens made through it may and must be, other than by their parent's measure. */
import * as z from 'zod'

const strings = z.array(z.string())

export interface TokenRole {
  readonly format: 1
  readonly allowedPolicies: readonly string[]
  readonly disallowedPolicies: readonly string[]
  readonly allowedPoliciesGlob: readonly string[]
  readonly disallowedPoliciesGlob: readonly string[]
  /** Lower-cased, may have `*`; null: never said. */
  readonly allowedEntityAliases: readonly string[] | null
  readonly orphan: boolean
  readonly renewable: boolean
  readonly pathSuffix: string
  readonly type: 'service' | 'batch' | 'default-service' | 'default-batch'
  readonly periodMs: number
  readonly explicitMaxTtlMs: number
  readonly boundCidrs: readonly string[]
  readonly numUses: number
  readonly noDefaultPolicy: boolean
  /** Which were written by their older names ("period"): answers show both then. */
  readonly older: readonly string[]
}

export const newTokenRole: TokenRole = {
  format: 1,
  allowedPolicies: [],
  disallowedPolicies: [],
  allowedPoliciesGlob: [],
  disallowedPoliciesGlob: [],
  allowedEntityAliases: null,
  orphan: false,
  renewable: true,
  pathSuffix: '',
  type: 'default-service',
  periodMs: 0,
  explicitMaxTtlMs: 0,
  boundCidrs: [],
  numUses: 0,
  noDefaultPolicy: false,
  older: [],
}

export const tokenRoleSchema: z.ZodType<TokenRole> = z.looseObject({
  format: z.literal(1),
  allowedPolicies: strings,
  disallowedPolicies: strings,
  allowedPoliciesGlob: strings,
  disallowedPoliciesGlob: strings,
  allowedEntityAliases: strings.nullable(),
  orphan: z.boolean(),
  renewable: z.boolean(),
  pathSuffix: z.string(),
  type: z.enum(['service', 'batch', 'default-service', 'default-batch']),
  periodMs: z.number(),
  explicitMaxTtlMs: z.number(),
  boundCidrs: strings,
  numUses: z.number(),
  noDefaultPolicy: z.boolean(),
  older: strings,
})

/** Structural OpenAPI v3 schemas (KEP-1693), in the words of CustomResourceDefinition v1. */
export interface Structural {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'boolean'
  readonly description?: string
  readonly properties?: Readonly<Record<string, Structural>>
  readonly required?: readonly string[]
  readonly items?: Structural
  readonly additionalProperties?: Structural
  readonly enum?: readonly string[]
  readonly default?: unknown
  readonly pattern?: string
  readonly format?: string
  readonly minLength?: number
  readonly maxLength?: number
  readonly minProperties?: number
  readonly maxProperties?: number
  readonly nullable?: boolean
  readonly 'x-kubernetes-preserve-unknown-fields'?: true
  readonly 'x-kubernetes-int-or-string'?: true
  readonly 'x-kubernetes-map-type'?: 'atomic'
}

type Extra = Omit<Structural, 'type' | 'properties' | 'items' | 'additionalProperties'>

export const string = (extra: Extra = {}): Structural => ({ type: 'string', ...extra })
export const oneOf = (...values: string[]): Structural => ({ type: 'string', enum: values })
export const boolean: Structural = { type: 'boolean' }
export const object = (properties: Record<string, Structural>, extra: Extra = {}): Structural => ({
  type: 'object',
  ...extra,
  properties,
})
export const list = (items: Structural): Structural => ({ type: 'array', items })
export const stringMap: Structural = { type: 'object', additionalProperties: { type: 'string' } }
/** Kept as it is: something that we store for its owner but do not act on. */
export const free: Structural = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
/** A list whose items are not described; structural schemas still want the item's type. */
export const freeList: Structural = { type: 'array', items: free }

export const objectName = string({
  minLength: 1,
  maxLength: 253,
  pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$',
})
export const namespaceName = string({ minLength: 1, maxLength: 63, pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$' })
export const dataKey = string({ minLength: 1, maxLength: 253, pattern: '^[-._a-zA-Z0-9]+$' })

export const conditions: Structural = list(
  object(
    {
      type: string(),
      status: string(),
      reason: string(),
      message: string(),
      lastTransitionTime: string({ format: 'date-time' }),
    },
    { required: ['status', 'type'] },
  ),
)

import * as z from 'zod'
import type { KubeObject, ResourceType } from '../../kube/client.ts'
import { type Condition, conditionSchema } from './condition.ts'
import { whereOf } from './external-secret.ts'

export const secretStores: ResourceType = {
  group: 'external-secrets.io',
  version: 'v1',
  plural: 'secretstores',
  kind: 'SecretStore',
  namespaced: true,
}

const specSchema = z.object({
  controller: z.string().default(''),
  /** Exactly one member, the provider's name; its spec is the provider's to read. */
  provider: z.record(z.string(), z.unknown()),
  /** Whole seconds, or Go's form. */
  refreshInterval: z.union([z.number(), z.string()]).optional(),
  retrySettings: z.object({ maxRetries: z.number().optional(), retryInterval: z.string().optional() }).optional(),
})

export interface SecretStore {
  readonly object: KubeObject
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly generation: number
  readonly spec: z.infer<typeof specSchema>
  readonly conditions: readonly Condition[]
  readonly capabilities: string | undefined
}

/** A string when the object is not what its CRD promises: says where. */
export function parseSecretStore(object: KubeObject): SecretStore | string {
  const spec = specSchema.safeParse(object['spec'] ?? {})
  if (!spec.success) return whereOf('spec', spec.error)
  const status = z
    .object({ conditions: z.array(conditionSchema).default([]), capabilities: z.string().optional() })
    .safeParse(object['status'] ?? {})
  const { name = '', namespace = '', uid = '', generation = 0 } = object.metadata
  const { conditions = [], capabilities } = status.data ?? {}
  return { object, namespace, name, uid, generation, spec: spec.data, conditions, capabilities }
}

export const readyOf = (store: { conditions: readonly Condition[] }) =>
  store.conditions.find((condition) => condition.type === 'Ready')

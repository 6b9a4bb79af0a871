import * as z from 'zod'
import type { KubeObject, ResourceType } from '../../kube/client.ts'
import { conditionSchema } from './condition.ts'

export const externalSecrets: ResourceType = {
  group: 'external-secrets.io',
  version: 'v1',
  plural: 'externalsecrets',
  kind: 'ExternalSecret',
  namespaced: true,
}

// Unset leaves get their defaults here, not in the CRD (see external-secret-schema.ts). What is not supported is parsed
// loosely, so that it can be named and refused.

const storeRefSchema = z.object({ name: z.string().default(''), kind: z.string().default('SecretStore') })
const sourceRefSchema = z.object({ storeRef: storeRefSchema.optional(), generatorRef: z.unknown().optional() })
export type StoreRef = z.infer<typeof storeRefSchema>

const strategies = {
  conversionStrategy: z.enum(['Default', 'Unicode']).default('Default'),
  decodingStrategy: z.enum(['Auto', 'Base64', 'Base64URL', 'None']).default('None'),
  nullBytePolicy: z.enum(['Ignore', 'Fail']).default('Ignore'),
}

const remoteRefSchema = z.object({
  key: z.string(),
  property: z.string().optional(),
  version: z.string().optional(),
  metadataPolicy: z.enum(['None', 'Fetch']).default('None'),
  ...strategies,
})
export type RemoteRefSpec = z.infer<typeof remoteRefSchema>

const targetSchema = z.object({
  name: z.string().optional(),
  creationPolicy: z.enum(['Owner', 'Orphan', 'Merge', 'None', 'CreateOrMerge']).default('Owner'),
  deletionPolicy: z.enum(['Delete', 'Merge', 'Retain']).default('Retain'),
  immutable: z.boolean().default(false),
  manifest: z.unknown().optional(),
  template: z.unknown().optional(),
})
export type TargetSpec = z.infer<typeof targetSchema>

const specSchema = z.object({
  secretStoreRef: storeRefSchema.default({ name: '', kind: 'SecretStore' }),
  target: targetSchema.default({ creationPolicy: 'Owner', deletionPolicy: 'Retain', immutable: false }),
  refreshPolicy: z.enum(['CreatedOnce', 'Periodic', 'OnChange']).default('Periodic'),
  refreshInterval: z.string().default('1h0m0s'),
  syncWindows: z.unknown().optional(),
  data: z
    .array(z.object({ secretKey: z.string(), remoteRef: remoteRefSchema, sourceRef: sourceRefSchema.optional() }))
    .default([]),
  dataFrom: z
    .array(
      z.object({
        extract: remoteRefSchema.optional(),
        find: z.unknown().optional(),
        rewrite: z.array(z.unknown()).optional(),
        sourceRef: sourceRefSchema.optional(),
      }),
    )
    .default([]),
})
export type ExternalSecretSpec = z.infer<typeof specSchema>

const statusSchema = z.object({
  refreshTime: z.string().nullable().default(null),
  syncedResourceVersion: z.string().optional(),
  conditions: z.array(conditionSchema).default([]),
  binding: z.object({ name: z.string().default('') }).default({ name: '' }),
})
export type ExternalSecretStatus = z.infer<typeof statusSchema>

export interface ExternalSecret {
  readonly object: KubeObject
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly spec: ExternalSecretSpec
  readonly status: ExternalSecretStatus
}

/** A string when the object is not what its CRD promises: says where. */
export function parseExternalSecret(object: KubeObject): ExternalSecret | string {
  const spec = specSchema.safeParse(object['spec'] ?? {})
  if (!spec.success) return whereOf('spec', spec.error)
  const status = statusSchema.safeParse(object['status'] ?? {})
  const { name = '', namespace = '', uid = '' } = object.metadata
  // Our own status in a shape that we don't know is started again rather than trusted.
  return { object, namespace, name, uid, spec: spec.data, status: status.data ?? statusSchema.parse({}) }
}

export function whereOf(root: string, error: z.ZodError): string {
  const issue = error.issues[0]
  return `${[root, ...(issue?.path ?? [])].join('.')}: ${issue?.message ?? 'not understood'}`
}

import {
  boolean,
  conditions,
  dataKey,
  free,
  freeList,
  list,
  object,
  objectName,
  oneOf,
  type Structural,
  string,
  stringMap,
} from './structural.ts'

// Optional leaves carry no defaults: v1 dropped v1beta1's because Argo CD shows each as drift. The code treats unset as the default.

const storeRef = object({ name: objectName, kind: oneOf('SecretStore', 'ClusterSecretStore') })

const generatorRef = object(
  {
    apiVersion: string({ default: 'generators.external-secrets.io/v1alpha1' }),
    kind: string(),
    name: objectName,
  },
  { required: ['kind', 'name'] },
)

const strategies = {
  conversionStrategy: oneOf('Default', 'Unicode'),
  decodingStrategy: oneOf('Auto', 'Base64', 'Base64URL', 'None'),
  nullBytePolicy: oneOf('Ignore', 'Fail'),
}

const remoteRef = object(
  { key: string(), property: string(), version: string(), metadataPolicy: oneOf('None', 'Fetch'), ...strategies },
  { required: ['key'] },
)

const find = object({ path: string(), name: object({ regexp: string() }), tags: stringMap, ...strategies })

const sourceRef = object({ storeRef, generatorRef }, { minProperties: 1, maxProperties: 1 })

const rewrite = object(
  {
    regexp: object({ source: string(), target: string() }, { required: ['source', 'target'] }),
    transform: object({ template: string() }, { required: ['template'] }),
    merge: object({
      into: string({ default: '' }),
      priority: list(string()),
      priorityPolicy: string({ enum: ['IgnoreNotFound', 'Strict'], default: 'Strict' }),
      conflictPolicy: string({ enum: ['Ignore', 'Error'], default: 'Error' }),
      strategy: string({ enum: ['Extract', 'JSON'], default: 'Extract' }),
    }),
  },
  { minProperties: 1, maxProperties: 1 },
)

const templateItems = list(
  object(
    { key: dataKey, templateAs: string({ enum: ['Values', 'KeysAndValues'], default: 'Values' }) },
    { required: ['key'] },
  ),
)
const templateSource = object({ name: objectName, items: templateItems }, { required: ['items', 'name'] })

const template = object({
  type: string(),
  engineVersion: string({ enum: ['v2'], default: 'v2' }),
  mergePolicy: string({ enum: ['Replace', 'Merge'], default: 'Replace' }),
  metadata: object({ labels: stringMap, annotations: stringMap, finalizers: list(string()) }),
  data: stringMap,
  templateFrom: list(
    object({
      configMap: templateSource,
      secret: templateSource,
      literal: string(),
      target: string({ default: 'Data' }),
      valuesDecodingStrategy: strategies.decodingStrategy,
    }),
  ),
})

const target = object(
  {
    name: objectName,
    creationPolicy: string({ enum: ['Owner', 'Orphan', 'Merge', 'None', 'CreateOrMerge'], default: 'Owner' }),
    deletionPolicy: string({ enum: ['Delete', 'Merge', 'Retain'], default: 'Retain' }),
    immutable: boolean,
    manifest: object({ apiVersion: string(), kind: string() }, { required: ['apiVersion', 'kind'] }),
    template,
  },
  { default: { creationPolicy: 'Owner', deletionPolicy: 'Retain' } },
)

const spec = object({
  secretStoreRef: storeRef,
  target,
  refreshPolicy: oneOf('CreatedOnce', 'Periodic', 'OnChange'),
  refreshInterval: string({ default: '1h0m0s' }),
  syncWindows: { ...free, properties: { kind: string(), windows: freeList } },
  data: list(object({ secretKey: dataKey, remoteRef, sourceRef }, { required: ['remoteRef', 'secretKey'] })),
  dataFrom: list(object({ extract: remoteRef, find, rewrite: list(rewrite), sourceRef })),
})

const status = object({
  refreshTime: string({ format: 'date-time', nullable: true }),
  syncedResourceVersion: string(),
  conditions,
  binding: object({ name: string({ default: '' }) }, { 'x-kubernetes-map-type': 'atomic' }),
})

export const externalSecretSchema: Structural = object(
  {
    apiVersion: string(),
    kind: string(),
    metadata: { type: 'object' },
    spec,
    status,
  },
  { description: 'Brings values of a secret store into a Secret of this namespace and keeps them current.' },
)

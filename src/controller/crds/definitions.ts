/** The CustomResourceDefinitions that the controller serves: the source of deploy/crds (scripts/generate-crds.ts writes it). */
import type { KubeObject } from '../../kube/client.ts'
import { externalSecretSchema } from './external-secret-schema.ts'
import { secretStoreSchema } from './secret-store-schema.ts'
import type { Structural } from './structural.ts'

interface Kind {
  readonly kind: string
  readonly plural: string
  readonly shortName: string
  readonly schema: Structural
  readonly columns: readonly Column[]
  readonly selectable: readonly string[]
}
interface Column {
  readonly name: string
  readonly type: 'string' | 'date'
  readonly jsonPath: string
  readonly priority?: number
}

const condition = (type: string, member: string) => `.status.conditions[?(@.type=="${type}")].${member}`

const kinds: readonly Kind[] = [
  {
    kind: 'ExternalSecret',
    plural: 'externalsecrets',
    shortName: 'es',
    schema: externalSecretSchema,
    columns: [
      { name: 'StoreType', type: 'string', jsonPath: '.spec.secretStoreRef.kind' },
      { name: 'Store', type: 'string', jsonPath: '.spec.secretStoreRef.name' },
      { name: 'Refresh Interval', type: 'string', jsonPath: '.spec.refreshInterval' },
      { name: 'Status', type: 'string', jsonPath: condition('Ready', 'reason') },
      { name: 'Ready', type: 'string', jsonPath: condition('Ready', 'status') },
      { name: 'Last Sync', type: 'date', jsonPath: '.status.refreshTime' },
      { name: 'Stale', type: 'string', jsonPath: condition('Stale', 'status'), priority: 1 },
    ],
    selectable: [
      '.spec.secretStoreRef.name',
      '.spec.secretStoreRef.kind',
      '.spec.target.name',
      '.spec.refreshInterval',
    ],
  },
  {
    kind: 'SecretStore',
    plural: 'secretstores',
    shortName: 'ss',
    schema: secretStoreSchema,
    columns: [
      { name: 'AGE', type: 'date', jsonPath: '.metadata.creationTimestamp' },
      { name: 'Status', type: 'string', jsonPath: condition('Ready', 'reason') },
      { name: 'Capabilities', type: 'string', jsonPath: '.status.capabilities' },
      { name: 'Ready', type: 'string', jsonPath: condition('Ready', 'status') },
    ],
    selectable: [],
  },
]

export const group = 'external-secrets.io'

/** Both versions have one schema, so that conversion (strategy None) loses nothing in either direction. */
export function customResourceDefinitions(): KubeObject[] {
  return kinds.map((kind) => ({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: `${kind.plural}.${group}`,
      labels: { 'external-secrets.io/component': 'controller' },
    },
    spec: {
      group,
      names: {
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        plural: kind.plural,
        singular: kind.kind.toLowerCase(),
        shortNames: [kind.shortName],
        categories: ['external-secrets'],
      },
      scope: 'Namespaced',
      conversion: { strategy: 'None' },
      versions: [version(kind, 'v1', true), version(kind, 'v1beta1', false)],
    },
  }))
}

function version(kind: Kind, name: string, storage: boolean) {
  return {
    name,
    served: true,
    storage,
    schema: { openAPIV3Schema: kind.schema },
    subresources: { status: {} },
    additionalPrinterColumns: kind.columns,
    ...(kind.selectable.length > 0 && { selectableFields: kind.selectable.map((jsonPath) => ({ jsonPath })) }),
  }
}

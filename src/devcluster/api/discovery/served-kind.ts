/** What discovery and OpenAPI both say of a kind: its verbs and what lies below it. */
import type { ReviewKind } from '../identity/reviews.ts'
import type { Resource, ResourceTable } from '../resource.ts'

export interface Discovery {
  readonly resources: ResourceTable
  readonly reviews: readonly ReviewKind[]
}

export type GroupVersion = Pick<Resource, 'group' | 'version'>

export interface ServedSubresource {
  /** After the slash. */
  readonly name: string
  readonly kind: string
  readonly group: string
  readonly version: string
  readonly verbs: readonly string[]
  /** Full name of the type that is answered and taken; undefined: text. */
  readonly type: string | undefined
}

const allVerbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']

/** Namespaces are deleted one by one. */
export function verbsOf(resource: Resource): readonly string[] {
  return resource.collection === 'namespaces' ? allVerbs.filter((verb) => verb !== 'deletecollection') : allVerbs
}

const ofStatus = ['get', 'patch', 'update']

export function subresourcesOf(resource: Resource): readonly ServedSubresource[] {
  const { group, version, kind, subresources } = resource
  return [
    ...(subresources.scale
      ? [
          {
            name: 'scale',
            kind: 'Scale',
            group: 'autoscaling',
            version: 'v1',
            verbs: ofStatus,
            type: 'autoscaling.Scale',
          },
        ]
      : []),
    ...(subresources.status ? [{ name: 'status', kind, group, version, verbs: ofStatus, type: 'own' }] : []),
    ...(extras[resource.collection] ?? []),
  ].sort((a, b) => (a.name < b.name ? -1 : 1))
}

const extras: Readonly<Record<string, readonly ServedSubresource[]>> = {
  pods: [
    { name: 'binding', kind: 'Binding', group: '', version: 'v1', verbs: ['create'], type: 'core.Binding' },
    { name: 'eviction', kind: 'Eviction', group: 'policy', version: 'v1', verbs: ['create'], type: 'policy.Eviction' },
    { name: 'log', kind: 'Pod', group: '', version: 'v1', verbs: ['get'], type: undefined },
  ],
  serviceaccounts: [
    {
      name: 'token',
      kind: 'TokenRequest',
      group: 'authentication.k8s.io',
      version: 'v1',
      verbs: ['create'],
      type: 'authentication.TokenRequest',
    },
  ],
}

/** What Kubernetes has below a kind and the embedded cluster has not, and why; undefined: Kubernetes has it not either. */
export function unservedSubresource(collection: string, name: string): string | undefined {
  const why = unserved[`${collection}/${name}`]
  return why && `the development cluster does not serve ${collection}/${name}: ${why}`
}

const noTunnel = 'it opens no streams into containers; they are processes of this machine, reach them there'
const noProxy = 'it forwards no requests; containers and services are reached on this machine'
const unserved: Readonly<Record<string, string>> = {
  'pods/exec': noTunnel,
  'pods/attach': noTunnel,
  'pods/portforward': noTunnel,
  'pods/proxy': noProxy,
  'services/proxy': noProxy,
  'nodes/proxy': noProxy,
  'pods/ephemeralcontainers': 'a container is not added to a running pod',
  'pods/resize': "a running container's resources are not changed",
}

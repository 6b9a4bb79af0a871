/** /api, /apis, /version and /openapi/v3: what is served, in the least that kubectl needs. */
import type { ReviewKind } from '../identity/reviews.ts'
import { groupVersionOf, type Resource, type ResourceTable } from '../resource.ts'
import type { Tree } from '../tree.ts'

export interface Discovery {
  readonly resources: ResourceTable
  readonly reviews: readonly ReviewKind[]
}

const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']

/** The answer to a discovery path; undefined: no such path. */
export function discover(discovery: Discovery, path: string): Tree | undefined {
  const steps = path.split('/').filter((step) => step !== '')
  const [root, second, third, more] = steps
  if (more !== undefined) return undefined
  if (root === 'api')
    return second === undefined
      ? coreVersions()
      : second === 'v1' && !third
        ? resourceList(discovery, '', 'v1')
        : undefined
  if (root !== 'apis') return undefined
  if (second === undefined) return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups(discovery) }
  if (third === undefined) {
    const group = groups(discovery).find((candidate) => candidate['name'] === second)
    return group ? { kind: 'APIGroup', apiVersion: 'v1', ...group } : undefined
  }
  return resourceList(discovery, second, third)
}

const coreVersions = (): Tree => ({ kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] })

type Kind = Pick<Resource, 'group' | 'version'>

function allKinds({ resources, reviews }: Discovery): readonly Kind[] {
  return [...resources.all(), ...reviews]
}

function groups(discovery: Discovery): Tree[] {
  const versions = new Map<string, Set<string>>()
  for (const { group, version } of allKinds(discovery)) {
    if (group === '') continue
    versions.set(group, (versions.get(group) ?? new Set()).add(version))
  }
  return [...versions].map(([name, found]) => {
    const listed = [...found].sort(byPriority).map((version) => ({ groupVersion: `${name}/${version}`, version }))
    return { name, versions: listed, preferredVersion: listed[0] }
  })
}

/** v2 before v1 before v1beta1 before v1alpha1 (k8s.io/apimachinery/pkg/version CompareKubeAwareVersionStrings). */
function byPriority(a: string, b: string): number {
  const rank = (version: string) => {
    const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version)
    if (!match) return [0, 0, 0] as const
    const stage = match[2] === undefined ? 3 : match[2] === 'beta' ? 2 : 1
    return [stage, Number(match[1]), Number(match[3] ?? 0)] as const
  }
  const [left, right] = [rank(a), rank(b)]
  return right[0] - left[0] || right[1] - left[1] || right[2] - left[2] || a.localeCompare(b)
}

function resourceList(discovery: Discovery, group: string, version: string): Tree | undefined {
  const here = (kind: Kind) => kind.group === group && kind.version === version
  const kinds = discovery.resources.all().filter(here)
  const reviews = discovery.reviews.filter(here)
  if (kinds.length + reviews.length === 0) return undefined
  const resources = [...kinds.flatMap(describe), ...reviews.map(describeReview)]
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: groupVersionOf({ group, version }), resources }
}

function describeReview({ plural, kind }: ReviewKind): Tree {
  return { name: plural, singularName: kind.toLowerCase(), namespaced: false, kind, verbs: ['create'] }
}

function describe(resource: Resource): Tree[] {
  const { plural, singular, namespaced, kind, shortNames, categories } = resource
  const below = (name: string, ofKind: string, ofVerbs: readonly string[], type: Tree = {}) => ({
    name: `${plural}/${name}`,
    singularName: '',
    namespaced,
    ...type,
    kind: ofKind,
    verbs: ofVerbs,
  })
  return [
    {
      name: plural,
      singularName: singular,
      namespaced,
      kind,
      verbs,
      ...(shortNames.length > 0 ? { shortNames } : {}),
      ...(categories.length > 0 ? { categories } : {}),
    },
    ...(resource.subresources.status ? [below('status', kind, ['get', 'patch', 'update'])] : []),
    ...(resource.subresources.scale
      ? [below('scale', 'Scale', ['get', 'patch', 'update'], { group: 'autoscaling', version: 'v1' })]
      : []),
    ...(extraSubresources[resource.collection] ?? []).map(({ name, ofKind, ofVerbs, type }) =>
      below(name, ofKind, ofVerbs, type),
    ),
  ]
}

const extraSubresources: Readonly<
  Record<string, readonly { name: string; ofKind: string; ofVerbs: readonly string[]; type?: Tree }[]>
> = {
  pods: [
    { name: 'binding', ofKind: 'Binding', ofVerbs: ['create'] },
    { name: 'eviction', ofKind: 'Eviction', ofVerbs: ['create'], type: { group: 'policy', version: 'v1' } },
    { name: 'log', ofKind: 'Pod', ofVerbs: ['get'] },
  ],
  serviceaccounts: [
    {
      name: 'token',
      ofKind: 'TokenRequest',
      ofVerbs: ['create'],
      type: { group: 'authentication.k8s.io', version: 'v1' },
    },
  ],
}

export const serverVersion: Tree = {
  major: '1',
  minor: '34',
  gitVersion: 'v1.34.4-coffer',
  gitCommit: '',
  gitTreeState: '',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: '',
  compiler: 'node',
  platform: `${process.platform}/${process.arch}`,
}

/** The index, or one group's document: paths that say which kind they take, no schemas. */
export function openApiV3(discovery: Discovery, path: string): Tree | undefined {
  const versions = new Map<string, Kind>()
  for (const { group, version } of allKinds(discovery)) versions.set(pathOf({ group, version }), { group, version })
  const asked = path.replace(/^\/openapi\/v3\/?/, '')
  if (asked === '') {
    const entry = (name: string) => [name, { serverRelativeURL: `/openapi/v3/${name}` }] as const
    return { paths: Object.fromEntries([...versions.keys()].map(entry)) }
  }
  const found = versions.get(asked)
  if (!found) return undefined
  const kinds = discovery.resources.all().filter((r) => r.group === found.group && r.version === found.version)
  const paths = Object.fromEntries(kinds.flatMap((resource) => openApiPaths(resource, asked)))
  return { openapi: '3.0.0', info: { title: 'Coffer development cluster', version: 'v1.34.4' }, paths }
}

const pathOf = ({ group, version }: Kind) => (group === '' ? `api/${version}` : `apis/${group}/${version}`)

function openApiPaths(resource: Resource, prefix: string): (readonly [string, Tree])[] {
  const place = resource.namespaced
    ? `/${prefix}/namespaces/{namespace}/${resource.plural}`
    : `/${prefix}/${resource.plural}`
  const { group, version, kind } = resource
  const operation = {
    'x-kubernetes-group-version-kind': { group, version, kind },
    parameters: ['dryRun', 'fieldManager', 'fieldValidation'].map((name) => ({
      name,
      in: 'query',
      schema: { type: 'string' },
    })),
    responses: {},
  }
  return [
    [place, { post: operation }],
    [`${place}/{name}`, { put: operation, patch: operation }],
  ]
}

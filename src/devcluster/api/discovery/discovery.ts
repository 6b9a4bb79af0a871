/** /api, /apis and /version: what is served, for clients to find. */
import type { ReviewKind } from '../identity/reviews.ts'
import { groupVersionOf, type Resource } from '../resource.ts'
import type { Tree } from '../tree.ts'
import { type ApiRequest, type ApiResponse, jsonResponse } from '../wire.ts'
import { groupList, wantsGroupList } from './group-list.ts'
import { type Discovery, type GroupVersion, subresourcesOf, verbsOf } from './served-kind.ts'

/** The answer to a discovery path; undefined: no such path. */
export function discover(
  discovery: Discovery,
  { path, headers }: Pick<ApiRequest, 'path' | 'headers'>,
): ApiResponse | undefined {
  const [root, second, third, more] = path.split('/').filter((step) => step !== '')
  if (more !== undefined || (root !== 'api' && root !== 'apis')) return undefined
  if (second === undefined && wantsGroupList(headers['accept'])) {
    const versions = [...versionsOf(discovery)].filter(([group]) => (group === '') === (root === 'api'))
    return groupList(discovery, new Map(versions), headers['if-none-match'])
  }
  const found =
    root === 'api' ? underApi(discovery, [second, third], headers['host']) : underApis(discovery, second, third)
  return found && jsonResponse(200, found, second === undefined ? { vary: 'Accept' } : {})
}

function underApi(
  discovery: Discovery,
  [version, more]: readonly [string | undefined, string | undefined],
  serverAddress = '',
): Tree | undefined {
  if (version === undefined) {
    const serverAddressByClientCIDRs = [{ clientCIDR: '0.0.0.0/0', serverAddress }]
    return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs }
  }
  return version === 'v1' && more === undefined ? resourceList(discovery, '', 'v1') : undefined
}

function underApis(discovery: Discovery, group: string | undefined, version: string | undefined): Tree | undefined {
  if (group === undefined) return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups(discovery) }
  if (version !== undefined) return resourceList(discovery, group, version)
  const found = groups(discovery).find((candidate) => candidate['name'] === group)
  return found && { kind: 'APIGroup', apiVersion: 'v1', ...found }
}

/** Kubernetes' own order of its groups; definitions' groups come after them. */
const groupOrder = [
  ...['', 'apps', 'events.k8s.io', 'authentication.k8s.io', 'authorization.k8s.io', 'autoscaling', 'batch', 'policy'],
  ...['rbac.authorization.k8s.io', 'admissionregistration.k8s.io', 'apiextensions.k8s.io', 'coordination.k8s.io'],
]
const rankOf = (group: string) => (groupOrder.includes(group) ? groupOrder.indexOf(group) : groupOrder.length)

/** Group -> its versions, the preferred one first. */
function versionsOf({ resources, reviews }: Discovery): Map<string, readonly string[]> {
  const found = new Map<string, Set<string>>()
  for (const { group, version } of [...resources.all(), ...reviews])
    found.set(group, (found.get(group) ?? new Set()).add(version))
  const sorted = [...found].sort(([a], [b]) => rankOf(a) - rankOf(b) || (a < b ? -1 : 1))
  return new Map(sorted.map(([group, versions]) => [group, [...versions].sort(byPriority)]))
}

function groups(discovery: Discovery): Tree[] {
  const named = [...versionsOf(discovery)].filter(([name]) => name !== '')
  return named.map(([name, versions]) => {
    const listed = versions.map((version) => ({ groupVersion: `${name}/${version}`, version }))
    return { name, versions: listed, preferredVersion: listed[0] }
  })
}

/** v2 before v1 before v1beta1 before v1alpha1 (k8s.io/apimachinery/pkg/version CompareKubeAwareVersionStrings). */
export function byPriority(a: string, b: string): number {
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
  const here = (kind: GroupVersion) => kind.group === group && kind.version === version
  const kinds = discovery.resources.all().filter(here)
  const reviews = discovery.reviews.filter(here)
  if (kinds.length + reviews.length === 0) return undefined
  const resources = [...kinds.flatMap(describeKind), ...reviews.map(describeReview)]
  resources.sort((a, b) => (String(a['name']) < String(b['name']) ? -1 : 1))
  // The core group's list says no version of its own.
  const type = group === '' ? {} : { apiVersion: 'v1' }
  return { kind: 'APIResourceList', ...type, groupVersion: groupVersionOf({ group, version }), resources }
}

function describeReview({ plural, kind, namespaced }: ReviewKind): Tree {
  return { name: plural, singularName: kind.toLowerCase(), namespaced, kind, verbs: ['create'] }
}

function describeKind(resource: Resource): Tree[] {
  const { plural, singular, namespaced, kind, shortNames, categories } = resource
  const below = subresourcesOf(resource).map((sub) => ({
    name: `${plural}/${sub.name}`,
    singularName: '',
    namespaced,
    ...(sub.group === resource.group && sub.version === resource.version
      ? {}
      : { group: sub.group, version: sub.version }),
    kind: sub.kind,
    verbs: sub.verbs,
  }))
  const own = {
    name: plural,
    singularName: singular,
    namespaced,
    kind,
    verbs: verbsOf(resource),
    ...(shortNames.length > 0 ? { shortNames } : {}),
    ...(categories.length > 0 ? { categories } : {}),
  }
  return [own, ...below]
}

export const serverVersion: Tree = {
  major: '1',
  minor: '34',
  emulationMajor: '1',
  emulationMinor: '34',
  minCompatibilityMajor: '1',
  minCompatibilityMinor: '33',
  gitVersion: 'v1.34.4-coffer',
  gitCommit: '',
  gitTreeState: '',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: '',
  compiler: 'node',
  platform: `${process.platform}/${process.arch}`,
}

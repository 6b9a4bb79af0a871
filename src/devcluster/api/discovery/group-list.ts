/** /api and /apis in the form that newer clients ask for: all groups with all their kinds in one answer. */
import { createHash } from 'node:crypto'
import type { ReviewKind } from '../identity/reviews.ts'
import type { Resource } from '../resource.ts'
import type { Tree } from '../tree.ts'
import { type ApiResponse, jsonResponse } from '../wire.ts'
import { type Discovery, subresourcesOf, verbsOf } from './served-kind.ts'

/** Whether the first form of the Accept header that is spoken here is this one. */
export function wantsGroupList(accept: string | undefined): boolean {
  for (const part of (accept ?? '').split(',')) {
    const [type = '', ...parameters] = part.split(';').map((text) => text.trim())
    if (type !== 'application/json') continue
    if (parameters.includes('as=APIGroupDiscoveryList')) {
      if (parameters.includes('g=apidiscovery.k8s.io') && parameters.includes('v=v2')) return true
    } else return false
  }
  return false
}

/** `versions`: group -> its versions, the preferred one first. */
export function groupList(
  discovery: Discovery,
  versions: ReadonlyMap<string, readonly string[]>,
  ifNoneMatch: string | undefined,
): ApiResponse {
  const items = [...versions].map(([group, found]) => ({
    metadata: group === '' ? {} : { name: group },
    versions: found.map((version) => ({
      version,
      resources: kindsOf(discovery, group, version),
      freshness: 'Current',
    })),
  }))
  const body = { kind: 'APIGroupDiscoveryList', apiVersion: 'apidiscovery.k8s.io/v2', metadata: {}, items }
  const hash = createHash('sha512').update(JSON.stringify(body)).digest('hex').toUpperCase()
  const headers = { etag: `"${hash}"`, vary: 'Accept', 'cache-control': 'public' }
  if (ifNoneMatch === headers.etag) return { status: 304, headers, body: '' }
  const type = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'
  return jsonResponse(200, body, { ...headers, 'content-type': type })
}

function kindsOf({ resources, reviews }: Discovery, group: string, version: string): Tree[] {
  const here = (kind: { group: string; version: string }) => kind.group === group && kind.version === version
  const all = [
    ...resources
      .all()
      .filter(here)
      .map((resource) => describeKind(resource)),
    ...reviews.filter(here).map((review) => describeReview(review)),
  ]
  return all.sort((a, b) => (String(a['resource']) < String(b['resource']) ? -1 : 1))
}

/** A built-in kind leaves group and version to the place where it stands; a custom one says them. */
function describeKind(resource: Resource): Tree {
  const { group, version, kind, plural, singular, namespaced, shortNames, categories, custom } = resource
  const own = custom ? { group, version, kind } : { group: '', version: '', kind }
  const below = subresourcesOf(resource).map((sub) => ({
    subresource: sub.name,
    responseKind:
      sub.group === group && sub.version === version
        ? { ...own, kind: sub.kind }
        : { group: sub.group, version: sub.version, kind: sub.kind },
    verbs: sub.verbs,
  }))
  return {
    resource: plural,
    responseKind: own,
    scope: namespaced ? 'Namespaced' : 'Cluster',
    singularResource: singular,
    verbs: verbsOf(resource),
    ...(shortNames.length > 0 ? { shortNames } : {}),
    ...(categories.length > 0 ? { categories } : {}),
    ...(below.length > 0 ? { subresources: below } : {}),
  }
}

function describeReview({ plural, kind, namespaced }: ReviewKind): Tree {
  return {
    resource: plural,
    responseKind: { group: '', version: '', kind },
    scope: namespaced ? 'Namespaced' : 'Cluster',
    singularResource: kind.toLowerCase(),
    verbs: ['create'],
  }
}

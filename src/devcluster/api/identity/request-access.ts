/** What a request needs to be allowed (k8s.io/apiserver/pkg/endpoints/request RequestInfo). */
import { pathSegmentProblem } from '../kinds/names.ts'
import type { ResourcePath } from '../request-path.ts'
import { type FieldRequirement, parseFieldSelector } from '../store/selectors.ts'
import type { ApiRequest } from '../wire.ts'
import type { Access } from './rbac/rule.ts'

/** `target`: of a path to objects. */
export function accessOf({ method, path, query }: ApiRequest, target: ResourcePath | undefined): Access {
  if (!target) return { verb: method.toLowerCase(), path: decodedPath(path) }
  const { group, plural, subresource } = target
  const verb = verbOf(method, query, target.name !== undefined)
  const many = verb === 'list' || verb === 'watch'
  // Rights on one name count for a list that asks for this one only.
  const name = target.name ?? (many ? selectedName(query.get('fieldSelector') ?? '') : undefined)
  // A namespace lies in itself: a role in it may give the right to read it.
  const namespace = target.namespace ?? (plural === 'namespaces' ? target.name : undefined)
  return { verb, group, resource: plural, subresource, namespace, name }
}

function verbOf(method: string, query: URLSearchParams, named: boolean): string {
  switch (method) {
    case 'GET':
    case 'HEAD':
      // With a name `watch` means nothing.
      if (named) return 'get'
      return asksWatch(query) ? 'watch' : 'list'
    case 'POST':
      return 'create'
    case 'PUT':
      return 'update'
    case 'PATCH':
      return 'patch'
    case 'DELETE':
      return named ? 'delete' : 'deletecollection'
    default:
      return ''
  }
}

/** As Go reads a flag of a query: there, and not "false" or "0". */
export function asksWatch(query: URLSearchParams): boolean {
  const text = query.get('watch')
  return text !== null && !['false', '0'].includes(text.toLowerCase())
}

/** Read as the list itself reads it: a selector of two meanings would let the name of one object open all. */
function selectedName(selector: string): string | undefined {
  const found = requirementsOf(selector).find(({ field, equal }) => field === 'metadata.name' && equal)?.value
  return found === undefined || pathSegmentProblem(found) ? undefined : found
}

/** One that cannot be read names nothing; whoever may list everything hears why. */
function requirementsOf(selector: string): readonly FieldRequirement[] {
  try {
    return parseFieldSelector(selector)
  } catch {
    return []
  }
}

function decodedPath(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

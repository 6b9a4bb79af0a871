/** What a patch left, held against the kind as strictly as a whole object would be. */
import type { KubeObject } from '../../../../kube/client.ts'
import { invalid } from '../../field-problem.ts'
import { isKubeObject } from '../../resource.ts'
import { badRequest, invalidObject, type StatusError } from '../../status.ts'
import { isTree, type Tree } from '../../tree.ts'
import { fieldValidationOf, type RequestContext } from '../context.ts'
import { checkKind, keepForgetting } from '../decode.ts'

export interface PatchFaults {
  /** Of the patch itself. */
  readonly problems: readonly string[]
  /** How a refusal shows what it refuses. */
  readonly shown: string
}

export function decodePatched(context: RequestContext, before: KubeObject, result: unknown, faults: PatchFaults): Tree {
  const { resource, query, warnings } = context
  if (!isTree(result)) throw badRequest('a patch must leave an object')
  const object = sortedMembers({ apiVersion: before.apiVersion, kind: before.kind, ...result })
  const { apiVersion, kind } = object
  if (apiVersion !== before.apiVersion || kind !== before.kind)
    throw refusal(
      faults,
      `a patch can't make a ${String(apiVersion)}, Kind=${String(kind)} of a ${before.apiVersion}, Kind=${before.kind}`,
    )
  checkKind(resource, object)
  if (object['metadata'] === undefined || (resource.custom && !isTree(object['metadata']))) object['metadata'] = {}
  if (!resource.custom) keepForgetting(object)
  const { unknown, wrongTypes } = resource.decode(object)
  if (wrongTypes[0] !== undefined) throw refusal(faults, wrongTypes[0])
  const problems = [...faults.problems, ...unknown.map((path) => `unknown field "${path}"`)]
  const validation = fieldValidationOf(query)
  if (problems.length > 0 && validation === 'Strict')
    throw refusal(faults, `strict decoding error: ${problems.join(', ')}`)
  if (validation === 'Warn') warnings.push(...problems)
  if (!isKubeObject(object)) throw badRequest(`Object 'Kind' is missing in '${JSON.stringify(result)}'`)
  return object
}

/** As Go writes what a patch left: of several faults it names the first. */
function sortedMembers(value: Tree): Tree {
  const sorted = (content: unknown): unknown => {
    if (Array.isArray(content)) return content.map(sorted)
    return isTree(content) ? sortedMembers(content) : content
  }
  const members = Object.keys(value).sort()
  return Object.fromEntries(members.map((member) => [member, sorted(value[member])]))
}

function refusal({ shown }: PatchFaults, why: string): StatusError {
  return invalidObject({ group: '', kind: '' }, '', [invalid('patch', shown, why)])
}

/** From a client's document to an object of a kind: right type, right place, nothing unknown, defaults filled. */
import type { KubeObject } from '../../../kube/client.ts'
import { groupVersionOf, isKubeObject, type Resource } from '../resource.ts'
import { badRequest } from '../status.ts'
import { isTree, type Tree } from '../tree.ts'
import type { FieldValidation } from './context.ts'

export interface DecodeOptions {
  readonly validation: FieldValidation
  readonly warnings: string[]
}

/** Does not fill defaults: server-side apply must see what was said. */
export function decodeDocument(resource: Resource, document: Tree, options: DecodeOptions): KubeObject {
  const object = structuredClone(document)
  checkKind(resource, object)
  if (!isTree(object['metadata'])) object['metadata'] = {}
  const { unknown, wrongTypes } = resource.decode(object)
  if (wrongTypes.length > 0)
    throw badRequest(
      `${resource.kind} in version "${resource.version}" cannot be handled as a ${resource.kind}: ${wrongTypes[0]}`,
    )
  if (unknown.length > 0 && options.validation === 'Strict') {
    const problems = unknown.map((path) => `unknown field "${path}"`).join(', ')
    throw badRequest(
      `${resource.kind} in version "${resource.version}" cannot be handled as a ${resource.kind}: strict decoding error: ${problems}`,
    )
  }
  if (options.validation === 'Warn') options.warnings.push(...unknown.map((path) => `unknown field "${path}"`))
  if (!isKubeObject(object)) throw badRequest(`Object 'Kind' is missing in '${JSON.stringify(document)}'`)
  return object
}

/** Again after admission or a patch: what others wrote is held against the kind too. */
export function normalize(resource: Resource, document: Tree): KubeObject {
  const object = decodeDocument(resource, document, { validation: 'Ignore', warnings: [] })
  resource.fillDefaults?.(object)
  return object
}

function checkKind(resource: Resource, object: Tree): void {
  const expected = groupVersionOf(resource)
  if (!resource.custom) {
    object['apiVersion'] ??= expected
    object['kind'] ??= resource.kind
  }
  const { apiVersion, kind } = object
  if (typeof kind !== 'string' || kind === '')
    throw badRequest(`Object 'Kind' is missing in '${JSON.stringify(object)}'`)
  if (typeof apiVersion !== 'string' || apiVersion === '')
    throw badRequest(`Object 'apiVersion' is missing in '${JSON.stringify(object)}'`)
  if (apiVersion !== expected)
    throw badRequest(
      `the API version in the data (${apiVersion}) does not match the expected API version (${expected})`,
    )
  if (kind !== resource.kind)
    throw badRequest(`${kind} in version "${resource.version}" cannot be handled as a ${resource.kind}`)
}

/** The object belongs where the request points. */
export function checkPlace(object: KubeObject, namespace: string | undefined, name: string | undefined): void {
  const { metadata } = object
  if (namespace !== undefined) {
    metadata.namespace ??= namespace
    if (metadata.namespace !== namespace)
      throw badRequest('the namespace of the provided object does not match the namespace sent on the request')
  }
  if (name === undefined) return
  metadata.name ??= name
  if (metadata.name !== name)
    throw badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${name})`)
}

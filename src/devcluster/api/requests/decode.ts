/** From a client's document to an object of a kind: right type, right place, nothing unknown, defaults filled. */
import type { KubeObject } from '../../../kube/client.ts'
import { groupVersionOf, isKubeObject, type Resource } from '../resource.ts'
import { writeZeros } from '../shapes/zero-values.ts'
import { badRequest, type StatusError } from '../status.ts'
import { isTree, type Tree } from '../tree.ts'
import type { FieldValidation } from './context.ts'

export interface DecodeOptions {
  readonly validation: FieldValidation
  readonly warnings: string[]
  /** What the document's text says more than once, in words. */
  readonly repetitions?: readonly string[]
}

/** Does not fill defaults: server-side apply must see what was said. */
export function decodeDocument(resource: Resource, document: Tree, options: DecodeOptions): KubeObject {
  const object = structuredClone(document)
  checkKind(resource, object)
  // Of a built-in kind another type than an object is found by its shape.
  if (object['metadata'] === undefined || object['metadata'] === null) object['metadata'] = {}
  else if (resource.custom && !isTree(object['metadata'])) throw unreadableMetadata(resource, object['metadata'])
  if (!resource.custom) keepForgetting(object)
  const { unknown, wrongTypes } = resource.decode(object)
  if (wrongTypes.length > 0)
    throw badRequest(
      `${resource.kind} in version "${resource.version}" cannot be handled as a ${resource.kind}: ${wrongTypes[0]}`,
    )
  const problems = [...(options.repetitions ?? []), ...unknown.map((path) => `unknown field "${path}"`)]
  if (problems.length > 0 && options.validation === 'Strict')
    throw badRequest(
      `${resource.kind} in version "${resource.version}" cannot be handled as a ${resource.kind}: strict decoding error: ${problems.join(', ')}`,
    )
  if (options.validation === 'Warn') for (const problem of problems) options.warnings.push(problem)
  if (!isKubeObject(object)) throw badRequest(`Object 'Kind' is missing in '${JSON.stringify(document)}'`)
  return object
}

function unreadableMetadata({ kind, version }: Resource, found: unknown): StatusError {
  const type = Array.isArray(found) ? 'array' : typeof found === 'boolean' ? 'bool' : typeof found
  const why = `json: cannot unmarshal ${type} into Go value of type v1.ObjectMeta`
  return badRequest(`${kind} in version "${version}" cannot be handled as a ${kind}: ${why}`)
}

/** Again after admission or a patch: what others wrote is held against the kind too. */
export function normalize(resource: Resource, document: Tree): KubeObject {
  const object = decodeDocument(resource, document, { validation: 'Ignore', warnings: [] })
  resource.fillDefaults?.(object)
  writeZeros(object, resource.shape)
  return object
}

/** An empty list of managers asks to forget them, as one empty entry does; as a list it would be dropped. */
export function keepForgetting(object: Tree): void {
  const { metadata } = object
  if (isTree(metadata) && Array.isArray(metadata['managedFields']) && metadata['managedFields'].length === 0)
    metadata['managedFields'] = [{}]
}

export function checkKind(resource: Resource, object: Tree): void {
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
  if (apiVersion !== expected && resource.custom)
    throw badRequest(
      `the API version in the data (${apiVersion}) does not match the expected API version (${expected})`,
    )
  if (kind !== resource.kind || apiVersion !== expected) {
    const version = apiVersion.slice(apiVersion.indexOf('/') + 1)
    throw badRequest(`${kind} in version "${version}" cannot be handled as a ${resource.kind}`)
  }
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
  if (!metadata.name)
    throw badRequest(`the name of the object (${name} based on URL) was undeterminable: name must be provided`)
  if (metadata.name !== name)
    throw badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${name})`)
}

/** PATCH in its four forms. */
import type { KubeObject } from '../../../../kube/client.ts'
import type { Clock } from '../../../../lib/clock.ts'
import type { Access } from '../../identity/authorizer.ts'
import type { User } from '../../identity/user.ts'
import { goText } from '../../patch/fields/typed-validation.ts'
import { applyJsonPatch, maxOperations, PatchFailure } from '../../patch/json-patch.ts'
import { applyMergePatch } from '../../patch/merge-patch.ts'
import { applyStrategicMerge, StrategicFailure } from '../../patch/strategic-merge.ts'
import type { Resource } from '../../resource.ts'
import { badRequest, notFound, StatusError, unsupportedMediaType } from '../../status.ts'
import type { ObjectStore } from '../../store/object-store.ts'
import { isTree, type Tree } from '../../tree.ts'
import { mediaTypeOf, mediaTypes } from '../body.ts'
import { fieldValidationOf, type RequestContext } from '../context.ts'
import type { ObjectWriter, WriteRequest } from '../object-writer.ts'
import { checkWriteOptions } from '../write-options.ts'
import { serverSideApply } from './apply-request.ts'
import { decodePatched } from './decode-patched.ts'
import { parsePatch } from './patch-body.ts'

export interface PatchResult {
  readonly created: boolean
  readonly object: KubeObject
}

export interface PatchTools {
  readonly store: ObjectStore
  readonly writer: ObjectWriter
  readonly clock: Clock
  readonly authorize: (user: User, access: Access) => void
}

/** Those of kinds that are not built in; strategic merge needs to know the kind. */
const customTypes: readonly string[] = [mediaTypes.jsonPatch, mediaTypes.mergePatch, mediaTypes.applyPatch]
const builtInTypes: readonly string[] = [
  mediaTypes.jsonPatch,
  mediaTypes.mergePatch,
  mediaTypes.strategicPatch,
  mediaTypes.applyPatch,
]

export async function patchObject(
  tools: PatchTools,
  context: RequestContext,
  request: WriteRequest,
): Promise<PatchResult> {
  const { resource, query } = context
  const type = mediaTypeOf(context.headers)
  const accepted = resource.custom ? customTypes : builtInTypes
  // Of a built-in kind the framework below the API server refuses first, and says less.
  if (!accepted.includes(type))
    throw resource.custom
      ? unsupportedMediaType(accepted)
      : new StatusError(415, 'UnsupportedMediaType', '415: Unsupported Media Type', {})
  const isApply = type === mediaTypes.applyPatch
  checkWriteOptions(query, 'PatchOptions', isApply)
  if (isApply) return serverSideApply(tools, context, request)
  // What is wrong with the patch is said only where there is something to patch.
  if (!tools.store.get(resource.collection, context.namespace, context.name ?? ''))
    throw notFound(resource, context.name ?? '')
  const object = await tools.writer.update(request, { version: 'kept', build: patchReader(context) })
  return { created: false, object }
}

/** What a patch (but for an apply) makes of an object. */
export function patchReader(context: RequestContext): (before: KubeObject) => Tree {
  const type = mediaTypeOf(context.headers)
  const { patch, problems } = parsePatch(context.body, type, fieldValidationOf(context.query))
  const build = patchFunction(type, patch, context.resource)
  return (before) => {
    const patched = attempt(build, before)
    const shown = type === mediaTypes.strategicPatch ? goText(patch) : JSON.stringify(patched)
    return decodePatched(context, before, patched, { problems, shown })
  }
}

type PatchFunction = (before: KubeObject) => unknown

function patchFunction(type: string, patch: unknown, resource: Resource): PatchFunction {
  if (type === mediaTypes.jsonPatch) {
    const operations: readonly unknown[] = Array.isArray(patch) ? patch : []
    if (operations.length > maxOperations)
      throw new StatusError(
        413,
        'RequestEntityTooLarge',
        `Request entity too large: The allowed maximum operations in a JSON patch is ${maxOperations}, got ${operations.length}`,
      )
    return (before) => applyJsonPatch(before, operations)
  }
  const members = isTree(patch) ? patch : {}
  if (type === mediaTypes.mergePatch) return (before) => applyMergePatch(before, members)
  return (before) => applyStrategicMerge(before, members, resource.shape)
}

function attempt(build: PatchFunction, before: KubeObject): unknown {
  try {
    return build(before)
  } catch (error) {
    if (error instanceof StrategicFailure)
      throw error.form ? badRequest(error.message) : new StatusError(500, '', error.message)
    if (!(error instanceof PatchFailure)) throw error
    throw new StatusError(422, 'Invalid', 'the server rejected our request due to an error in our request', {})
  }
}

/** PATCH in its four forms. */
import type { KubeObject, ManagedFieldsEntry } from '../../../kube/client.ts'
import type { Clock } from '../../../lib/clock.ts'
import type { Access } from '../identity/authorizer.ts'
import type { User } from '../identity/user.ts'
import { fieldsOf } from '../patch/field-set.ts'
import { applyJsonPatch, maxOperations, PatchFailure } from '../patch/json-patch.ts'
import { entryOf, type WriteMark } from '../patch/managed-fields.ts'
import { applyMergePatch } from '../patch/merge-patch.ts'
import { type ApplyConflict, applyConfiguration } from '../patch/server-side-apply.ts'
import { applyStrategicMerge } from '../patch/strategic-merge.ts'
import { groupVersionOf, type Resource } from '../resource.ts'
import { badRequest, StatusError, unsupportedMediaType } from '../status.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { isTree, type Tree } from '../tree.ts'
import { mediaTypeOf, mediaTypes, parseJson, readYaml } from './body.ts'
import { fieldValidationOf, managerOf, type RequestContext } from './context.ts'
import { checkPlace, decodeDocument } from './decode.ts'
import { type ObjectWriter, timestamp, type WriteRequest } from './object-writer.ts'

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

export async function patchObject(
  tools: PatchTools,
  context: RequestContext,
  request: WriteRequest,
): Promise<PatchResult> {
  const type = mediaTypeOf(context.headers)
  if (type === mediaTypes.applyPatch) return serverSideApply(tools, context, request)
  const patch = parseJson(context.body, context.resource.kind)
  const build = patchFunction(type, patch, context.resource)
  const object = await tools.writer.update(request, {
    version: 'optional',
    build: (before) => checkedResult(context, before, attempt(build, before)),
  })
  return { created: false, object }
}

type PatchFunction = (before: KubeObject) => unknown

function patchFunction(type: string, patch: unknown, resource: Resource): PatchFunction {
  if (type === mediaTypes.jsonPatch) {
    if (!Array.isArray(patch)) throw badRequest('json: cannot unmarshal object into Go value of type jsonpatch.Patch')
    if (patch.length > maxOperations)
      throw new StatusError(
        413,
        'RequestEntityTooLarge',
        `The allowed maximum operations in a JSON patch is ${maxOperations}, got ${patch.length}`,
      )
    return (before) => applyJsonPatch(before, patch)
  }
  if (!isTree(patch)) throw badRequest('a patch must be an object')
  if (type === mediaTypes.mergePatch) return (before) => applyMergePatch(before, patch)
  if (type === mediaTypes.strategicPatch && !resource.custom)
    return (before) => applyStrategicMerge(before, patch, resource.shape)
  const accepted = [mediaTypes.jsonPatch, mediaTypes.mergePatch, mediaTypes.applyPatch]
  throw unsupportedMediaType(resource.custom ? accepted : [...accepted, mediaTypes.strategicPatch])
}

function attempt(build: PatchFunction, before: KubeObject): unknown {
  try {
    return build(before)
  } catch (error) {
    if (!(error instanceof PatchFailure)) throw error
    throw new StatusError(422, 'Invalid', 'the server rejected our request due to an error in our request', {
      causes: [{ message: error.message }],
    })
  }
}

/** What the patch brought in is held against the kind as strictly as a whole object would be. */
function checkedResult(context: RequestContext, before: KubeObject, result: unknown): Tree {
  if (!isTree(result)) throw badRequest('a patch must leave an object')
  return decodeDocument(
    context.resource,
    { apiVersion: before.apiVersion, kind: before.kind, ...result },
    {
      validation: fieldValidationOf(context.query),
      warnings: context.warnings,
    },
  )
}

async function serverSideApply(
  { store, writer, clock, authorize }: PatchTools,
  context: RequestContext,
  request: WriteRequest,
): Promise<PatchResult> {
  const { resource, query } = context
  if (!query.get('fieldManager')) throw requiredForApply('fieldManager')
  const document = await readYaml(context.body)
  const configuration = decodeDocument(resource, document, {
    validation: fieldValidationOf(query),
    warnings: context.warnings,
  })
  checkPlace(configuration, context.namespace, context.name)
  if (configuration.metadata.managedFields) throw badRequest('metadata.managedFields must be nil')
  onlyWritable(configuration, request)
  const mark: WriteMark = {
    manager: managerOf(context),
    operation: 'Apply',
    apiVersion: groupVersionOf(resource),
    time: timestamp(clock.now()),
    ...(request.subresource ? { subresource: request.subresource } : {}),
  }
  if (!request.subresource && !store.get(resource.collection, context.namespace, context.name ?? '')) {
    const { group, plural } = resource
    const { namespace, name } = context
    // Who may only change things must not make them this way.
    authorize(context.user, { verb: 'create', group, resource: plural, subresource: undefined, namespace, name })
    const owned = new Set(fieldsOf(configuration, resource.shape).keys())
    const fresh = structuredClone(configuration)
    resource.fillDefaults?.(fresh)
    const object = await writer.create(request, fresh, () => [entryOf(mark, owned)])
    return { created: true, object }
  }
  let managedFields: ManagedFieldsEntry[] = []
  const object = await writer.update(request, {
    version: 'optional',
    managedFields: () => managedFields,
    build: (before) => {
      const applied = applyConfiguration(before, configuration, resource.shape, mark)
      if (applied.conflicts.length > 0 && query.get('force') !== 'true') throw applyConflict(applied.conflicts)
      managedFields = applied.managedFields
      return applied.object
    },
  })
  return { created: false, object }
}

/** What the endpoint doesn't write is not owned by whoever sends it along. */
function onlyWritable(configuration: KubeObject, request: WriteRequest): void {
  if (request.subresource === 'status') {
    for (const member of Object.keys(configuration))
      if (!['apiVersion', 'kind', 'metadata', 'status'].includes(member)) delete configuration[member]
    const { name, namespace, resourceVersion, uid } = configuration.metadata
    configuration.metadata = {
      name,
      namespace,
      ...(resourceVersion ? { resourceVersion } : {}),
      ...(uid ? { uid } : {}),
    }
  } else if (request.resource.subresources.status) {
    delete configuration['status']
  }
}

function requiredForApply(member: string): StatusError {
  return new StatusError(
    422,
    'Invalid',
    `PatchOptions.meta.k8s.io "" is invalid: ${member}: Required value: is required for apply patch`,
    {
      group: 'meta.k8s.io',
      kind: 'PatchOptions',
      causes: [{ reason: 'FieldValueRequired', message: 'Required value: is required for apply patch', field: member }],
    },
  )
}

function applyConflict(conflicts: readonly ApplyConflict[]): StatusError {
  const by = (c: ApplyConflict) => `conflict with "${c.manager}" using ${c.apiVersion}`
  const [first] = conflicts
  const message =
    conflicts.length === 1 && first
      ? `Apply failed with 1 conflict: ${by(first)}: ${first.field}`
      : `Apply failed with ${conflicts.length} conflicts: ${conflicts.map((c) => `${by(c)}: ${c.field}`).join('\n- ')}`
  return new StatusError(409, 'Conflict', message, {
    causes: conflicts.map((c) => ({ reason: 'FieldManagerConflict', message: by(c), field: c.field })),
  })
}

/** Server-side apply as a request: from a YAML document to an object made or changed. */
import type { KubeObject, ManagedFieldsEntry } from '../../../../kube/client.ts'
import { ShapeMismatch } from '../../patch/fields/field-path.ts'
import { shapeProblem } from '../../patch/fields/typed-validation.ts'
import type { Manager } from '../../patch/managers.ts'
import { type Applied, type ApplyConflict, applyConfiguration } from '../../patch/server-side-apply.ts'
import { groupVersionOf, isKubeObject } from '../../resource.ts'
import { badRequest, conflict, invalidObject, StatusError } from '../../status.ts'
import { at, type Tree, textAt } from '../../tree.ts'
import { fieldValidationOf, managerOf, type RequestContext } from '../context.ts'
import { checkPlace, decodeDocument } from '../decode.ts'
import { namedNoVersion, timestamp, type WriteRequest } from '../object-writer.ts'
import { ownershipRules } from '../ownership.ts'
import { isForced } from '../write-options.ts'
import { readApplyBody } from './apply-body.ts'
import type { PatchResult, PatchTools } from './patch-request.ts'

export async function serverSideApply(
  tools: PatchTools,
  context: RequestContext,
  request: WriteRequest,
): Promise<PatchResult> {
  const { store, writer } = tools
  const { resource, namespace, name = '' } = context
  const { document, problem } = await readApplyBody(context.body)
  const apply = (live: KubeObject | undefined): Applied => {
    const applied = merged(tools, context, request, document, live)
    strictly(context, problem)
    return applied
  }
  if (!request.subresource && !store.get(resource.collection, namespace, name))
    return { created: true, object: await create(tools, context, request, apply(undefined)) }
  let managedFields: ManagedFieldsEntry[] | undefined
  const object = await writer.update(request, {
    version: 'optional',
    managedFields: () => managedFields,
    build: (before) => {
      const applied = apply(before)
      managedFields = applied.managedFields
      checkNulls(context, applied.object, before)
      return decoded(context, applied.object, document)
    },
  })
  return { created: false, object }
}

async function create(
  { writer, authorize }: PatchTools,
  context: RequestContext,
  request: WriteRequest,
  { object, managedFields }: Applied,
): Promise<KubeObject> {
  const { resource, namespace, name = '', user } = context
  const uid = textAt(object, 'metadata', 'uid')
  if (uid)
    throw conflict(
      resource,
      name,
      `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`,
    )
  checkNulls(context, object, undefined)
  const fresh = decoded(context, object, object)
  checkPlace(fresh, namespace, name)
  const { group, plural } = resource
  // Who may only change things must not make them this way.
  authorize(user, { verb: 'create', group, resource: plural, subresource: undefined, namespace, name })
  resource.fillDefaults?.(fresh)
  const version = fresh.metadata.resourceVersion ?? ''
  if (!/^\d*$/.test(version)) throw namedNoVersion(version)
  // Unlike a POST an apply may name one for an object that is not there.
  if (!request.dryRun) delete fresh.metadata.resourceVersion
  return writer.create(request, fresh, () => managedFields)
}

/** A refusal names the place that the configuration names. */
function decoded({ resource }: RequestContext, object: Tree, configuration: Tree): KubeObject {
  const { wrongTypes } = resource.custom ? { wrongTypes: [] } : resource.decode(structuredClone(object))
  if (wrongTypes[0] === undefined) return decodeDocument(resource, object, { validation: 'Ignore', warnings: [] })
  const type = `${resource.group}/${resource.version}, Kind=${resource.kind}`
  const place = placeOf(configuration)
  const why = wrongTypes[0].replace(/^illegal base64/, 'error decoding from json: $&')
  const words = `unable to convert unstructured object to ${type}: ${why}`
  throw new StatusError(500, '', `failed to convert new object (${place}; ${type}) to proper version: ${words}`)
}

/** Elsewhere a null where a custom kind has none says nothing; in a configuration it is refused. */
function checkNulls(
  { resource, subresource, name = '' }: RequestContext,
  object: Tree,
  before: KubeObject | undefined,
) {
  const filled: Tree = structuredClone(object)
  if (!resource.custom || !hasNull(filled) || !isKubeObject(filled)) return
  resource.fillDefaults?.(filled)
  const isStatus = subresource === 'status' && before !== undefined
  const problems = isStatus ? resource.validateStatus?.(filled, before) : resource.validate?.(filled, before)
  if (problems && problems.length > 0) throw invalidObject(resource, name, problems)
}

function hasNull(value: unknown): boolean {
  if (value === null) return true
  return typeof value === 'object' && Object.values(value ?? {}).some(hasNull)
}

function merged(
  { clock }: PatchTools,
  context: RequestContext,
  request: WriteRequest,
  configuration: Tree,
  live: KubeObject | undefined,
): Applied {
  const { resource, query } = context
  checkConfiguration(context, configuration)
  if (live) checkLive(context, live)
  const rules = ownershipRules({ ...request, manager: managerOf(context) }, timestamp(clock.now()))
  try {
    const applied = applyConfiguration({
      ...rules,
      mark: { ...rules.mark, operation: 'Apply' },
      shape: resource.shape,
      live,
      configuration,
      force: isForced(query),
    })
    if (applied.conflicts.length > 0) throw applyConflict(applied.conflicts)
    return applied
  } catch (error) {
    if (error instanceof ShapeMismatch) throw new StatusError(500, '', `failed to merge config: ${error.message}`)
    throw error
  }
}

function checkConfiguration({ resource }: RequestContext, configuration: Tree): void {
  const apiVersion = textAt(configuration, 'apiVersion') ?? ''
  const kind = textAt(configuration, 'kind') ?? ''
  const type = `${apiVersion.includes('/') ? '' : '/'}${apiVersion}, Kind=${kind}`
  if (apiVersion !== groupVersionOf(resource) || kind !== resource.kind)
    throw badRequest(`invalid object type: ${type}`)
  const owners = at(configuration, 'metadata', 'managedFields')
  if (owners !== undefined && owners !== null) throw badRequest('metadata.managedFields must be nil')
  const problem = shapeProblem(configuration, resource.shape)
  if (problem === undefined) return
  const place = placeOf(configuration)
  throw new StatusError(500, '', `failed to create typed patch object (${place}; ${type}): ${problem}`)
}

const placeOf = (configuration: Tree) =>
  `${textAt(configuration, 'metadata', 'namespace') ?? ''}/${textAt(configuration, 'metadata', 'name') ?? ''}`

/** An update may leave what no apply can go on from. */
function checkLive({ resource }: RequestContext, live: KubeObject): void {
  const problem = shapeProblem(live, resource.shape, true)
  if (problem === undefined) return
  const { namespace = '', name, managedFields = [] } = live.metadata
  const what = `(${namespace}/${name}; ${resource.group}/${resource.version}, Kind=${resource.kind})`
  const words =
    managedFields.length > 0
      ? `failed to create typed live object ${what}: ${problem}`
      : `failed to create manager for existing fields: failed to convert new object ${what} to smd typed: ${problem}`
  throw new StatusError(500, '', words)
}

/** Members that a document has twice. */
function strictly({ query, warnings }: RequestContext, problem: string | undefined): void {
  if (problem === undefined) return
  const validation = fieldValidationOf(query)
  if (validation === 'Strict') throw badRequest(`error strict decoding YAML: ${problem}`)
  if (validation === 'Warn') warnings.push(problem)
}

function printManager({ manager, operation, apiVersion, subresource }: Manager): string {
  const name = `${JSON.stringify(manager)}${subresource === '' ? '' : ` with subresource ${JSON.stringify(subresource)}`}`
  return operation === 'Update' ? `${name} using ${apiVersion}` : name
}

function applyConflict(conflicts: readonly ApplyConflict[]): StatusError {
  const causes = conflicts.map(({ manager, field }) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with ${printManager(manager)}`,
    field,
  }))
  const [first] = causes
  if (first && causes.length === 1)
    return new StatusError(409, 'Conflict', `Apply failed with 1 conflict: ${first.message}: ${first.field}`, {
      causes,
    })
  const lines: string[] = []
  conflicts.forEach(({ manager, field }, index) => {
    if (manager !== conflicts[index - 1]?.manager) lines.push(`conflicts with ${printManager(manager)}:`)
    lines.push(`- ${field}`)
  })
  const message = `Apply failed with ${conflicts.length} conflicts: ${lines.join('\n')}`
  return new StatusError(409, 'Conflict', message, { causes })
}

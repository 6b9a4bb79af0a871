/** The refusals of the API server, in its own words (k8s.io/apimachinery/pkg/api/errors). */
import { aggregate, type FieldProblem } from './field-problem.ts'
import type { Tree } from './tree.ts'

/** Thrown to answer with a Status object. `message` is for the client. */
export class StatusError extends Error {
  override name = 'StatusError'
  readonly code: number
  readonly reason: string
  readonly details: Tree | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly metadata: Tree

  constructor(
    code: number,
    reason: string,
    message: string,
    details?: Tree,
    headers: Readonly<Record<string, string>> = {},
    metadata: Tree = {},
  ) {
    super(message)
    this.code = code
    this.reason = reason
    this.details = details
    this.headers = headers
    this.metadata = metadata
  }

  toStatus(): Tree {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: this.metadata,
      status: 'Failure',
      message: this.message,
      ...(this.reason === '' ? {} : { reason: this.reason }),
      ...(this.details ? { details: this.details } : {}),
      code: this.code,
    }
  }
}

export interface GroupResource {
  readonly group: string
  readonly plural: string
}
export interface GroupKind {
  readonly group: string
  readonly kind: string
}

/** "deployments.apps", "secrets". */
export const resourceName = (r: GroupResource) => (r.group === '' ? r.plural : `${r.plural}.${r.group}`)

function detailsOf(r: GroupResource, name: string): Tree {
  return { ...(name === '' ? {} : { name }), ...(r.group === '' ? {} : { group: r.group }), kind: r.plural }
}

export function notFound(r: GroupResource, name: string): StatusError {
  return new StatusError(404, 'NotFound', `${resourceName(r)} "${name}" not found`, detailsOf(r, name))
}

/** `ending`: the one that is there is being deleted. `generated`: the name was asked to be made. */
export function alreadyExists(
  r: GroupResource,
  name: string,
  { ending = false, generated = false }: { readonly ending?: boolean; readonly generated?: boolean } = {},
): StatusError {
  const words = `${ending ? 'object is being deleted: ' : ''}${resourceName(r)} "${name}" already exists`
  if (!generated) return new StatusError(409, 'AlreadyExists', words, detailsOf(r, name))
  const message = `${words}, the server was not able to generate a unique name for the object`
  const details = { ...detailsOf(r, name), retryAfterSeconds: 1 }
  return new StatusError(409, 'AlreadyExists', message, details, { 'retry-after': '1' })
}

export function conflict(r: GroupResource, name: string, why: string): StatusError {
  const message = `Operation cannot be fulfilled on ${resourceName(r)} "${name}": ${why}`
  return new StatusError(409, 'Conflict', message, detailsOf(r, name))
}

export const staleVersion =
  'the object has been modified; please apply your changes to the latest version and try again'

export function forbiddenRequest(
  r: GroupResource,
  name: string,
  why: string,
  causes: readonly Tree[] = [],
): StatusError {
  const subject = name === '' ? `${resourceName(r)} is forbidden` : `${resourceName(r)} "${name}" is forbidden`
  const details = { ...detailsOf(r, name), ...(causes.length > 0 ? { causes } : {}) }
  return new StatusError(403, 'Forbidden', `${subject}: ${why}`, details)
}

export function invalidObject(k: GroupKind, name: string, problems: readonly FieldProblem[]): StatusError {
  const kind = k.group === '' ? k.kind : `${k.kind}.${k.group}`
  const text = aggregate(problems.map((p) => `${p.field}: ${p.message}`))
  return new StatusError(422, 'Invalid', `${kind} "${name}" is invalid: ${text}`, {
    ...(name === '' ? {} : { name }),
    ...(k.group === '' ? {} : { group: k.group }),
    ...(k.kind === '' ? {} : { kind: k.kind }),
    causes: problems.map((p) => ({ reason: p.reason, message: p.message, field: p.field })),
  })
}

/** No such path, in an API that there is. */
export const unknownResource = () =>
  new StatusError(404, 'NotFound', 'the server could not find the requested resource', {})
export const badRequest = (message: string) => new StatusError(400, 'BadRequest', message)
export const unauthorized = () => new StatusError(401, 'Unauthorized', 'Unauthorized')
export const internalError = (message: string) =>
  new StatusError(500, 'InternalError', `Internal error occurred: ${message}`, { causes: [{ message }] })
export const methodNotAllowed = () =>
  new StatusError(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {})
/** None of the forms is one that the answer has. */
export const noSuchForm = (accepted: readonly string[]) =>
  new StatusError(406, 'NotAcceptable', `only the following media types are accepted: ${accepted.join(', ')}`)
export const notAcceptable = (accepted: readonly string[]) =>
  new StatusError(406, 'NotAcceptable', `406: Not Acceptable\n\nAvailable representations: ${accepted.join(', ')}`, {})
export const unsupportedMediaType = (accepted: readonly string[]) =>
  new StatusError(
    415,
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
  )
export const expired = (message: string, metadata: Tree = {}) =>
  new StatusError(410, 'Expired', message, undefined, {}, metadata)
export const tooLarge = (limit: number) =>
  new StatusError(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${limit}`)

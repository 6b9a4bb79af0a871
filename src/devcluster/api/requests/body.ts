/** Request bodies: JSON, YAML or protobuf in, plain trees out. */
import { type ExpectedKind, jsonOfProtobuf, protobufType } from '../protobuf/request-body.ts'
import { badRequest, unsupportedMediaType } from '../status.ts'
import { isTree, type Tree, treeProblem } from '../tree.ts'
import type { ApiRequest } from '../wire.ts'

export const mediaTypes = {
  json: 'application/json',
  yaml: 'application/yaml',
  jsonPatch: 'application/json-patch+json',
  mergePatch: 'application/merge-patch+json',
  strategicPatch: 'application/strategic-merge-patch+json',
  applyPatch: 'application/apply-patch+yaml',
} as const

export function mediaTypeOf(headers: Readonly<Record<string, string | undefined>>): string {
  return (headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? ''
}

/** An object by the media type of its request; JSON when none is named. */
export async function readObject(
  body: string,
  headers: Readonly<Record<string, string | undefined>>,
  kind: string,
): Promise<Tree> {
  const type = mediaTypeOf(headers)
  if (type === mediaTypes.yaml) return readYaml(body)
  if (type !== '' && type !== mediaTypes.json)
    throw unsupportedMediaType([mediaTypes.json, mediaTypes.yaml, protobufType])
  const value = parseJson(body, kind)
  // To Go null is an object that nobody filled.
  if (value === null) return {}
  if (!isTree(value)) throw unrecognized(kind, 'json parse error: not an object')
  return value
}

/** The request as if its body had come as JSON; `expected` is what a protobuf body is taken for where it does not say. */
export function withTextBody(request: ApiRequest, expected: ExpectedKind): ApiRequest {
  if (mediaTypeOf(request.headers) !== protobufType || !['POST', 'PUT', 'DELETE'].includes(request.method))
    return request
  const bytes = request.bytes ?? Buffer.from(request.body ?? '')
  // A deletion without options has a type and no body.
  if (bytes.length === 0 && request.method === 'DELETE') return request
  const body = jsonOfProtobuf(bytes, expected)
  return { ...request, body, headers: { ...request.headers, 'content-type': mediaTypes.json } }
}

export function parseJson(body: string, kind: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch (error) {
    throw unrecognized(kind, `json parse error: ${error instanceof Error ? error.message : ''}`)
  }
  const problem = treeProblem(value)
  if (problem) throw badRequest(problem)
  return value
}

function unrecognized(kind: string, why: string) {
  return badRequest(`the object provided is unrecognized (must be of type ${kind}): couldn't get version/kind; ${why}`)
}

/** As sigs.k8s.io/yaml reads it: YAML 1.1, one document. */
export async function readYaml(body: string): Promise<Tree> {
  const yaml = await import('yaml')
  let value: unknown
  try {
    value = yaml.parse(body, { version: '1.1', uniqueKeys: false, maxAliasCount: 100, logLevel: 'silent' })
  } catch (error) {
    throw badRequest(`error decoding YAML: ${error instanceof Error ? error.message : ''}`)
  }
  const problem = treeProblem(value)
  if (problem) throw badRequest(problem)
  if (!isTree(value)) throw badRequest('error decoding YAML: not an object')
  // Dates and the like become what JSON has.
  const plain: unknown = JSON.parse(JSON.stringify(value))
  return isTree(plain) ? plain : {}
}

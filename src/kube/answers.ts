/** Reads what an API server answered: objects, lists and Status. JSON.parse: what we hold goes back as base64 text or by patch. */
import { ApiError, type KubeList, type KubeObject, type ResourceType } from './client.ts'
import { apiVersionOf } from './object-types.ts'

/** Throws when `text` is no object of Kubernetes'. */
export function parseObject<T extends KubeObject>(text: string): T {
  const value: unknown = parseJson(text)
  if (!isObject<T>(value)) throw new Error('the Kubernetes API answered something that is no object')
  return value
}

/** Items of a list carry no kind or apiVersion of their own: they get the list's type. */
export function parseList<T extends KubeObject>(
  text: string,
  type: ResourceType<T>,
): KubeList<T> & { continueToken: string | undefined } {
  const value: unknown = parseJson(text)
  if (!isRecord(value) || !isRecord(value['metadata'])) throw new Error('the Kubernetes API answered no list')
  const { resourceVersion, continue: continueToken } = value['metadata']
  const items: T[] = []
  for (const item of Array.isArray(value['items']) ? value['items'] : []) {
    const object: unknown = isRecord(item) ? { apiVersion: apiVersionOf(type), kind: type.kind, ...item } : item
    if (!isObject<T>(object)) throw new Error('the Kubernetes API answered a list with something that is no object')
    items.push(object)
  }
  return {
    items,
    resourceVersion: typeof resourceVersion === 'string' ? resourceVersion : '',
    continueToken: typeof continueToken === 'string' && continueToken !== '' ? continueToken : undefined,
  }
}

export function isObject<T extends KubeObject>(value: unknown): value is T {
  return (
    isRecord(value) &&
    typeof value['kind'] === 'string' &&
    typeof value['apiVersion'] === 'string' &&
    (value['metadata'] === undefined ? fillMetadata(value) : isRecord(value['metadata']))
  )
}

/** Reviews come back without metadata; users of KubeObject may count on it. */
function fillMetadata(value: Record<string, unknown>): true {
  value['metadata'] = {}
  return true
}

const reasons: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  406: 'NotAcceptable',
  409: 'Conflict',
  410: 'Expired',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
}

/** From a Status object, or from what a proxy said in its place. */
export function apiError(status: number, text: string, retryAfter?: string): ApiError {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    body = undefined
  }
  return statusError(body, status, text.slice(0, 200), retryAfter)
}

export function statusError(body: unknown, status: number, otherwise: string, retryAfter?: string): ApiError {
  const parsed = isRecord(body) && body['kind'] === 'Status' ? body : {}
  const code = typeof parsed['code'] === 'number' ? parsed['code'] : status
  const reason = typeof parsed['reason'] === 'string' && parsed['reason'] !== '' ? parsed['reason'] : reasons[code]
  const message = typeof parsed['message'] === 'string' ? parsed['message'] : otherwise.trim() || `HTTP ${status}`
  const details = isRecord(parsed['details']) ? parsed['details']['retryAfterSeconds'] : undefined
  const seconds = retryAfter !== undefined && /^\d{1,6}$/.test(retryAfter) ? Number(retryAfter) : details
  return new ApiError(code, reason ?? 'Unknown', message, typeof seconds === 'number' ? seconds * 1000 : undefined)
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's message quotes the text.
    throw new Error('the Kubernetes API answered something that is no JSON')
  }
}

/** A request's body or query -> the object that policy, audit and the operation see. */
import { JsonSyntaxError, parseJson } from '../../../lib/json/parse.ts'
import { isJsonObject, type Json, type JsonObject } from '../../../lib/json/value.ts'
import { Refusal } from '../../contracts/request.ts'
import type { Incoming } from '../exchange.ts'
import { checkCounts, type RequestLimits } from './request-limits.ts'

const empty: JsonObject = Object.freeze(Object.create(null))

/** Refuses (400) what is not a JSON object; a form only when it is said to be one and does not look like JSON. */
export function givenBy(incoming: Incoming): JsonObject {
  const { verb, query, body } = incoming
  if (verb !== 'update' && verb !== 'patch') return query
  if (!body || body.length === 0) return empty
  const type = incoming.headers['content-type'] ?? ''
  if (verb === 'patch') checkPatchType(type)
  const first = body[0]
  const looksLikeJson = first === 0x7b || first === 0x5b
  if (!looksLikeJson && type.startsWith('application/x-www-form-urlencoded')) return form(body)
  const value = parse(body, incoming.limits)
  if (value === null) return empty
  if (isJsonObject(value)) return value
  throw new Refusal(
    400,
    `failed to decode JSON input: json: cannot unmarshal ${kindOf(value)} into Go value of type map[string]interface {}`,
  )
}

function checkPatchType(type: string): void {
  const media = type.split(';')[0]?.trim() ?? ''
  if (media === '') throw new Refusal(400, 'mime: no media type')
  if (media === 'application/merge-patch+json') return
  throw new Refusal(415, `PATCH requires Content-Type of application/merge-patch+json, provided ${media}`)
}

function parse(body: Uint8Array, limits: RequestLimits | undefined): Json {
  try {
    const value = parseJson(body, limits?.json)
    if (limits) checkCounts(value, limits)
    return value
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error
    throw new Refusal(400, `failed to decode JSON input: ${error.message}`)
  }
}

function form(body: Uint8Array): JsonObject {
  const out: Record<string, string | string[]> = Object.create(null)
  for (const [name, value] of new URLSearchParams(Buffer.from(body).toString('utf8'))) {
    const before = out[name]
    if (before === undefined) out[name] = value
    else if (typeof before === 'string') out[name] = [before, value]
    else before.push(value)
  }
  return out
}

function kindOf(value: Json): string {
  if (Array.isArray(value)) return 'array'
  return typeof value === 'string' ? 'string' : typeof value === 'boolean' ? 'bool' : 'number'
}

/** A request's body or query -> the object that policy, audit and the operation see. */
import { JsonSyntaxError, parseJson } from '../../../lib/json/parse.ts'
import { parseJsonInTurns } from '../../../lib/json/parse-in-turns.ts'
import { isJsonObject, type Json, type JsonObject } from '../../../lib/json/value.ts'
import { atOnce, inTurns, Pace, type Turns } from '../../../lib/turns.ts'
import { Refusal } from '../../contracts/request.ts'
import type { Exchange, Incoming } from '../exchange.ts'
import { formSteps } from './form.ts'
import { checkCounts, type RequestLimits } from './request-limits.ts'

const empty: JsonObject = Object.freeze(Object.create(null))

/** Bodies up to this many bytes are read at once. */
const smallBytes = 64 * 1024

/** A promise only for what is large. */
export function readGiven(x: Exchange, turns: Turns): void | Promise<void> {
  const given = givenBy(x.incoming, turns)
  if (given instanceof Promise) return adopt(x, given)
  x.given = given
}

async function adopt(x: Exchange, given: Promise<JsonObject>): Promise<void> {
  x.given = await given
}

/**
 * Refuses (400) what is not a JSON object; a form only when it is said to be one and does not look like JSON. A promise only for
 * what is large.
 */
function givenBy(incoming: Incoming, turns: Turns): JsonObject | Promise<JsonObject> {
  const { verb, query, body } = incoming
  if (verb !== 'update' && verb !== 'patch') return query
  if (!body || body.length === 0) return empty
  const type = incoming.headers['content-type'] ?? ''
  if (verb === 'patch') checkPatchType(type)
  const first = body[0]
  const looksLikeJson = first === 0x7b || first === 0x5b
  if (!looksLikeJson && type.startsWith('application/x-www-form-urlencoded')) {
    const steps = formSteps(body, incoming.limits)
    return body.length > smallBytes ? inTurns(steps, turns) : atOnce(steps)
  }
  if (body.length > smallBytes) return parseLarge(body, incoming.limits, turns)
  return objectOf(parse(body, incoming.limits))
}

function objectOf(value: Json): JsonObject {
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
    throw refusalOf(error)
  }
}

async function parseLarge(body: Uint8Array, limits: RequestLimits = {}, turns: Turns): Promise<JsonObject> {
  const { json, maxMembers, maxElements } = limits
  const counts = { ...(maxMembers && { maxMembers }), ...(maxElements && { maxElements }) }
  try {
    return objectOf(await parseJsonInTurns(body, { ...json, ...counts }, new Pace(turns)))
  } catch (error) {
    throw refusalOf(error)
  }
}

function refusalOf(error: unknown): unknown {
  if (!(error instanceof JsonSyntaxError)) return error
  return new Refusal(400, `failed to decode JSON input: ${error.message}`)
}

function kindOf(value: Json): string {
  if (Array.isArray(value)) return 'array'
  return typeof value === 'string' ? 'string' : typeof value === 'boolean' ? 'bool' : 'number'
}

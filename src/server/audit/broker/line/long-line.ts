/** Lines of bodies and answers of many megabytes: made in slices, in pieces of bytes, with the same text as audit-line.ts makes. */
import { isLarge } from '../../../../lib/json/size.ts'
import type { JsonObject, RawJson } from '../../../../lib/json/value.ts'
import { plainStrings, type StringStyle, TextPieces, writeJsonInTurns } from '../../../../lib/json/write-in-turns.ts'
import { Pace, type Turns } from '../../../../lib/turns.ts'
import type { AuditedRequest, AuditedResponse } from '../../../contracts/audit.ts'
import { answered, answeredData, asked, type LineOptions, open } from './audit-line.ts'

type Data = JsonObject | RawJson | undefined
type Line = readonly Uint8Array[]

/** No JSON text holds it, nor does a prefix: it stands where pieces that were made apart belong. */
const mark = '\0'

export function isLongRequest(request: AuditedRequest): boolean {
  return isLarge(request.data)
}

export function isLongAnswer(request: AuditedRequest, response: AuditedResponse): boolean {
  return isLarge(response.data) || isLarge(request.data)
}

export async function longRequestLine(request: AuditedRequest, options: LineOptions, turns: Turns): Promise<Line> {
  const text = await longAsked(request, options, new Pace(turns))
  options.askedLong.set(request, text)
  return requestLineOf(request, text, options)
}

export async function longResponseLine(
  request: AuditedRequest,
  response: AuditedResponse,
  options: LineOptions,
  turns: Turns,
): Promise<Line> {
  const pace = new Pace(turns)
  const short = options.asked.get(request)
  const known = short === undefined ? options.askedLong.get(request) : [Buffer.from(short)]
  options.asked.delete(request)
  options.askedLong.delete(request)
  const text = known ?? (await longAsked(request, options, pace))
  return responseLineOf(request, response, text, options, pace)
}

/** Both lines of a request; what they share is made once. */
export async function longExchangeLines(
  request: AuditedRequest,
  response: AuditedResponse,
  options: LineOptions,
  turns: Turns,
): Promise<Line[]> {
  const pace = new Pace(turns)
  const text = await longAsked(request, options, pace)
  return [requestLineOf(request, text, options), await responseLineOf(request, response, text, options, pace)]
}

async function longAsked(request: AuditedRequest, options: LineOptions, pace: Pace): Promise<Line> {
  const clear = request.mount?.config.auditNonHmacRequestKeys
  const data = await dataPieces(request.data, clear, options, pace)
  return around(asked(request, options, { request: data.length > 0 ? mark : '' }), [data])
}

function requestLineOf(request: AuditedRequest, text: Line, options: LineOptions): Line {
  return around(open(request.at, 'request', mark, request.error, options), [text])
}

async function responseLineOf(
  request: AuditedRequest,
  response: AuditedResponse,
  text: Line,
  options: LineOptions,
  pace: Pace,
): Promise<Line> {
  const clear = request.mount?.config.auditNonHmacResponseKeys
  const data = await dataPieces(answeredData(request, response, options), clear, options, pace)
  const line = answered(mark, request, response, options, { response: data.length > 0 ? mark : '' })
  return around(line, data.length > 0 ? [text, data] : [text])
}

/** The text with the pieces where its marks stand. */
function around(text: string, inserted: readonly Line[]): Line {
  return text.split(mark).flatMap((part, i) => [...(part === '' ? [] : [Buffer.from(part)]), ...(inserted[i] ?? [])])
}

async function dataPieces(
  data: Data,
  clearKeys: readonly string[] | undefined,
  options: LineOptions,
  pace: Pace,
): Promise<Line> {
  if (data === undefined) return []
  const out = new TextPieces()
  out.add('"data":')
  const style = options.logRaw ? plainStrings : hashed(options)
  await writeJsonInTurns(data, out, pace, { style, exempt: clearKeys && new Set(clearKeys) })
  return out.take().pieces
}

/** An HMAC costs 2 µs, and one more for each 512 bytes. */
const hashed = ({ hasher }: LineOptions): StringStyle => ({ text: hasher.json, cost: 3, charsPerUnit: 512 })

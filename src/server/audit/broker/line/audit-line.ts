/** One audit line as Vault writes it; https://developer.hashicorp.com/vault/docs/audit-devices/schema. No chain fields and no closing brace: the chain adds them. */
import { mapStrings } from '../../../../lib/json/map-strings.ts'
import { parseJson } from '../../../../lib/json/parse.ts'
import { stringifyJson } from '../../../../lib/json/stringify.ts'
import { type Json, type JsonObject, KeptJson, RawJson } from '../../../../lib/json/value.ts'
import type { AuditedAuth, AuditedRequest, AuditedResponse } from '../../../contracts/audit.ts'
import type { DeviceOptions } from '../device-options.ts'
import { braced, KeptTexts, member } from './kept-texts.ts'
import type { LineHasher } from './line-hasher.ts'

export interface LineOptions {
  readonly hasher: LineHasher
  /** Values in clear: for debugging only. */
  readonly logRaw: boolean
  readonly hmacAccessor: boolean
  /** Lists say how many keys they had instead of which. */
  readonly elideListResponses: boolean
  readonly prefix: string
  readonly times: TimeTexts
  readonly kept: KeptTexts
  /** Lower-cased names of the request headers to record; true = as HMAC. */
  readonly headers: ReadonlyMap<string, boolean>
  /** What both lines of a request share, kept from the first to the second: hashing a body once is enough. */
  readonly asked: WeakMap<AuditedRequest, string>
  /** The same of requests whose lines are long. */
  readonly askedLong: WeakMap<AuditedRequest, readonly Uint8Array[]>
}

/** Texts of data that were made apart; absent: made from the data. */
export interface DataTexts {
  readonly request?: string | undefined
  readonly response?: string | undefined
}

export function lineOptions(options: DeviceOptions, hasher: LineHasher): LineOptions {
  const { logRaw, hmacAccessor, elideListResponses, prefix } = options
  const credential = (text: string) => (logRaw ? text : hasher.credential(text))
  const accessor = (text: string) => (hmacAccessor ? credential(text) : text)
  return {
    hasher,
    headers: new Map(),
    times: new TimeTexts(),
    kept: new KeptTexts({ credential, accessor }),
    asked: new WeakMap(),
    askedLong: new WeakMap(),
    logRaw,
    hmacAccessor,
    elideListResponses,
    prefix,
  }
}

/** Lines of one moment share its text. */
export class TimeTexts {
  #at = Number.NaN
  #text = ''

  text(at: number): string {
    if (at !== this.#at) {
      this.#text = new Date(at).toISOString()
      this.#at = at
    }
    return this.#text
  }
}

const s = JSON.stringify

export function requestLine(request: AuditedRequest, options: LineOptions): string {
  const text = asked(request, options)
  options.asked.set(request, text)
  return open(request.at, 'request', text, request.error, options)
}

export function responseLine(request: AuditedRequest, response: AuditedResponse, options: LineOptions): string {
  const text = options.asked.get(request) ?? asked(request, options)
  options.asked.delete(request)
  return answered(text, request, response, options)
}

/** Both lines of a request; what they share is made once. */
export function exchangeLines(request: AuditedRequest, response: AuditedResponse, options: LineOptions): string[] {
  const text = asked(request, options)
  return [open(request.at, 'request', text, request.error, options), answered(text, request, response, options)]
}

/** Who asked for what: members that open both lines of a request. */
export function asked(request: AuditedRequest, options: LineOptions, texts?: DataTexts): string {
  const auth = request.auth ? `"auth":${authText(request.auth, options)},` : ''
  return `${auth}"request":${requestText(request, options, texts)}`
}

export function answered(
  text: string,
  request: AuditedRequest,
  response: AuditedResponse,
  options: LineOptions,
  texts?: DataTexts,
): string {
  const start = open(response.at, 'response', text, response.error ?? request.error, options)
  return `${start},"response":${responseText(request, response, options, texts)}`
}

export function open(at: number, type: string, text: string, error: string | undefined, options: LineOptions): string {
  const line = `${options.prefix}{"time":"${options.times.text(at)}","type":"${type}",${text}`
  return error === undefined || error === '' ? line : `${line},"error":${s(error)}`
}

function requestText(request: AuditedRequest, options: LineOptions, texts: DataTexts | undefined): string {
  const { auth, mount, remote } = request
  const { kept } = options
  const data = texts?.request ?? dataMember(request.data, mount?.config.auditNonHmacRequestKeys, options)
  return (
    `{"id":${s(request.id)}${member('client_id', auth?.entityId)},"operation":"${request.operation}"` +
    kept.mount(mount) +
    (auth ? kept.holder(auth).credentials : '') +
    kept.namespace(request.namespace) +
    member('path', request.path) +
    (data === '' ? '' : `,${data}`) +
    member('remote_address', remote.address) +
    (remote.port > 0 ? `,"remote_port":${remote.port}` : '') +
    (request.wrapTtlMs > 0 ? `,"wrap_ttl":${Math.round(request.wrapTtlMs / 1000)}` : '') +
    `${headersMember(request.headers, options)}}`
  )
}

function responseText(
  request: AuditedRequest,
  response: AuditedResponse,
  options: LineOptions,
  texts: DataTexts | undefined,
): string {
  const { mount } = request
  const { auth, leaseId, wrap, warnings, redirect, headers } = response
  const data =
    texts?.response ??
    dataMember(answeredData(request, response, options), mount?.config.auditNonHmacResponseKeys, options)
  const made =
    (auth ? `,"auth":${authText(auth, options)}` : '') +
    (leaseId === undefined || leaseId === '' ? '' : `,"secret":{"lease_id":${s(leaseId)}}`)
  const rest =
    (wrap ? `,"wrap_info":${wrapText(wrap, options)}` : '') +
    (warnings.length > 0 ? `,"warnings":${s(warnings)}` : '') +
    member('redirect', redirect) +
    (headers ? `,"headers":${s(headers)}` : '') +
    options.kept.mount(mount)
  // What most answers are: cutting off a comma would copy the data once more.
  if (made === '' && data !== '') return `{${data}${rest}}`
  return braced(made + (data === '' ? '' : `,${data}`) + rest)
}

/** What the line tells of the answer's data. */
export function answeredData(request: AuditedRequest, response: AuditedResponse, options: LineOptions) {
  const listing = options.elideListResponses && (request.operation === 'list' || request.operation === 'scan')
  return listing ? elide(response.data) : response.data
}

function wrapText(wrap: NonNullable<AuditedResponse['wrap']>, options: LineOptions): string {
  const { token, accessor: holder, wrappedAccessor = '' } = wrap
  const members =
    `,"ttl":${Math.round(wrap.ttlMs / 1000)}` +
    member('token', token === '' ? '' : credential(token, options)) +
    member('accessor', holder === '' ? '' : accessor(holder, options)) +
    `,"creation_time":"${new Date(wrap.createdAt).toISOString()}"` +
    member('creation_path', wrap.creationPath) +
    member('wrapped_accessor', wrappedAccessor === '' ? '' : accessor(wrappedAccessor, options))
  return braced(members)
}

function authText(auth: AuditedAuth, options: LineOptions): string {
  const { policyResults: results, remainingUses } = auth
  const { before, metadata, after } = options.kept.holder(auth)
  const judged = results
    ? `"policy_results":{"allowed":${results.allowed}${options.kept.granting(results.granting)}},`
    : ''
  const uses = remainingUses > 0 ? `"remaining_uses":${remainingUses},` : ''
  return `{${before}${judged}${metadata}${uses}${after}}`
}

function credential(text: string, options: LineOptions): string {
  return options.logRaw ? text : options.hasher.credential(text)
}

function accessor(text: string, options: LineOptions): string {
  return options.hmacAccessor ? credential(text, options) : text
}

function dataMember(
  data: JsonObject | RawJson | undefined,
  clearKeys: readonly string[] | undefined,
  options: LineOptions,
): string {
  if (data === undefined) return ''
  if (options.logRaw) return `"data":${stringifyJson(data)}`
  const exempt = clearKeys && clearKeys.length > 0 ? { exempt: new Set(clearKeys) } : undefined
  const hide = (json: JsonObject | RawJson) => mapStrings(json, options.hasher.json, exempt)
  if (!(data instanceof KeptJson)) return `"data":${hide(data)}`
  return `"data":${options.kept.hidden(data.kept, clearKeys, hide).slice(0, -1)},${data.changing}}`
}

function headersMember(headers: AuditedRequest['headers'], options: LineOptions): string {
  if (options.headers.size === 0) return ''
  const members: string[] = []
  for (const [name, hashed] of options.headers) {
    const value = headers[name]
    if (value !== undefined)
      members.push(`${s(name)}:[${s(hashed && !options.logRaw ? options.hasher.value(value) : value)}]`)
  }
  return members.length > 0 ? `,"headers":{${members.join(',')}}` : ''
}

function elide(data: JsonObject | RawJson | undefined): JsonObject | RawJson | undefined {
  if (data === undefined) return data
  if (data instanceof RawJson) {
    const read = parseJson(data.text)
    return isPlain(read) ? elide(read) : data
  }
  const { keys, key_info: info, ...rest } = data
  return {
    ...(keys !== undefined && { keys: Array.isArray(keys) ? keys.length : keys }),
    ...(info !== undefined && { key_info: isPlain(info) ? Object.keys(info).length : info }),
    ...rest,
  }
}

function isPlain(json: Json): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json) && !(json instanceof RawJson)
}

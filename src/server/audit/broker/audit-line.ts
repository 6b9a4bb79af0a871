/** One audit line as Vault writes it; https://developer.hashicorp.com/vault/docs/audit-devices/schema. No chain fields and no closing brace: the chain adds them. */
import { mapStrings } from '../../../lib/json/map-strings.ts'
import { parseJson } from '../../../lib/json/parse.ts'
import { stringifyJson } from '../../../lib/json/stringify.ts'
import { type Json, type JsonObject, RawJson } from '../../../lib/json/value.ts'
import type { AuditedAuth, AuditedRequest, AuditedResponse } from '../../contracts/audit.ts'
import type { MountInfo } from '../../contracts/request.ts'
import type { DeviceOptions } from './device-options.ts'
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
  readonly issueTimes: TimeTexts
  /** Lower-cased names of the request headers to record; true = as HMAC. */
  readonly headers: ReadonlyMap<string, boolean>
  /** What both lines of a request share, kept from the first to the second: hashing a body once is enough. */
  readonly asked: WeakMap<AuditedRequest, string>
}

export function lineOptions(options: DeviceOptions, hasher: LineHasher): LineOptions {
  const { logRaw, hmacAccessor, elideListResponses, prefix } = options
  return {
    hasher,
    headers: new Map(),
    times: new TimeTexts(),
    issueTimes: new TimeTexts(),
    asked: new WeakMap(),
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

/** A JSON object from members of which some are absent; each is `"name":value` already. */
function object(...members: (string | undefined | false)[]): string {
  let out = ''
  for (const member of members) if (member) out += out === '' ? member : `,${member}`
  return `{${out}}`
}

function member(name: string, text: string | undefined): string | undefined {
  return text === undefined || text === '' ? undefined : `"${name}":${s(text)}`
}

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
function asked(request: AuditedRequest, options: LineOptions): string {
  const auth = request.auth ? `"auth":${authText(request.auth, options)},` : ''
  return `${auth}"request":${requestText(request, options)}`
}

function answered(text: string, request: AuditedRequest, response: AuditedResponse, options: LineOptions): string {
  const start = open(response.at, 'response', text, response.error ?? request.error, options)
  return `${start},"response":${responseText(request, response, options)}`
}

function open(at: number, type: string, text: string, error: string | undefined, options: LineOptions): string {
  const line = `${options.prefix}{"time":"${options.times.text(at)}","type":"${type}",${text}`
  return error === undefined || error === '' ? line : `${line},"error":${s(error)}`
}

function requestText(request: AuditedRequest, options: LineOptions): string {
  const { auth, mount, namespace } = request
  const { id, path } = namespace
  return object(
    member('id', request.id),
    member('client_id', auth?.entityId),
    member('operation', request.operation),
    ...mountMembers(mount),
    auth && auth.clientToken !== '' && member('client_token', credential(auth.clientToken, options)),
    auth && auth.accessor !== '' && member('client_token_accessor', accessor(auth.accessor, options)),
    `"namespace":${object(member('id', id), member('path', path))}`,
    member('path', request.path),
    dataMember(request.data, mount?.config.auditNonHmacRequestKeys, options),
    member('remote_address', request.remote.address),
    request.remote.port > 0 && `"remote_port":${request.remote.port}`,
    request.wrapTtlMs > 0 && `"wrap_ttl":${Math.round(request.wrapTtlMs / 1000)}`,
    headersMember(request.headers, options),
  )
}

function mountMembers(mount: MountInfo | undefined): (string | undefined)[] {
  if (!mount) return []
  return [
    member('mount_point', mount.path),
    member('mount_type', mount.type),
    member('mount_accessor', mount.accessor),
    member('mount_class', mount.class),
  ]
}

function responseText(request: AuditedRequest, response: AuditedResponse, options: LineOptions): string {
  const { mount } = request
  const listing = options.elideListResponses && (request.operation === 'list' || request.operation === 'scan')
  const data = listing ? elide(response.data) : response.data
  return object(
    response.auth && `"auth":${authText(response.auth, options)}`,
    response.leaseId !== undefined && response.leaseId !== '' && `"secret":{"lease_id":${s(response.leaseId)}}`,
    dataMember(data, mount?.config.auditNonHmacResponseKeys, options),
    response.wrap && `"wrap_info":${wrapText(response.wrap, options)}`,
    response.warnings.length > 0 && `"warnings":${s(response.warnings)}`,
    member('redirect', response.redirect),
    response.headers && `"headers":${s(response.headers)}`,
    ...mountMembers(mount),
  )
}

function wrapText(wrap: NonNullable<AuditedResponse['wrap']>, options: LineOptions): string {
  return object(
    `"ttl":${Math.round(wrap.ttlMs / 1000)}`,
    wrap.token !== '' && member('token', credential(wrap.token, options)),
    wrap.accessor !== '' && member('accessor', accessor(wrap.accessor, options)),
    `"creation_time":"${new Date(wrap.createdAt).toISOString()}"`,
    member('creation_path', wrap.creationPath),
    wrap.wrappedAccessor !== undefined &&
      wrap.wrappedAccessor !== '' &&
      member('wrapped_accessor', accessor(wrap.wrappedAccessor, options)),
  )
}

function authText(auth: AuditedAuth, options: LineOptions): string {
  const results = auth.policyResults
  return object(
    auth.clientToken !== '' && member('client_token', credential(auth.clientToken, options)),
    auth.accessor !== '' && member('accessor', accessor(auth.accessor, options)),
    member('display_name', auth.displayName),
    auth.policies.length > 0 && `"policies":${s(auth.policies)}`,
    auth.tokenPolicies.length > 0 && `"token_policies":${s(auth.tokenPolicies)}`,
    auth.identityPolicies.length > 0 && `"identity_policies":${s(auth.identityPolicies)}`,
    auth.noDefaultPolicy && '"no_default_policy":true',
    results && `"policy_results":${policyResults(results)}`,
    auth.metadata !== null && `"metadata":${s(auth.metadata)}`,
    auth.remainingUses > 0 && `"remaining_uses":${auth.remainingUses}`,
    member('entity_id', auth.entityId),
    `"token_type":"${auth.tokenType}"`,
    auth.tokenTtlMs > 0 && `"token_ttl":${Math.round(auth.tokenTtlMs / 1000)}`,
    auth.tokenIssuedAt > 0 && `"token_issue_time":"${options.issueTimes.text(auth.tokenIssuedAt)}"`,
  )
}

function policyResults(results: NonNullable<AuditedAuth['policyResults']>): string {
  const granting = results.granting.map(({ name, namespace, type }) => {
    const path = namespace.path === '' ? '' : `,"namespace_path":${s(namespace.path)}`
    return `{"name":${s(name)},"namespace_id":${s(namespace.id)}${path},"type":${s(type)}}`
  })
  return `{"allowed":${results.allowed}${granting.length > 0 ? `,"granting_policies":[${granting.join(',')}]` : ''}}`
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
): string | undefined {
  if (data === undefined) return undefined
  if (options.logRaw) return `"data":${stringifyJson(data)}`
  const exempt = clearKeys && clearKeys.length > 0 ? { exempt: new Set(clearKeys) } : undefined
  return `"data":${mapStrings(data, options.hasher.json, exempt)}`
}

function headersMember(headers: AuditedRequest['headers'], options: LineOptions): string | undefined {
  if (options.headers.size === 0) return undefined
  const members: string[] = []
  for (const [name, hashed] of options.headers) {
    const value = headers[name]
    if (value !== undefined)
      members.push(`${s(name)}:[${s(hashed && !options.logRaw ? options.hasher.value(value) : value)}]`)
  }
  return members.length > 0 ? `"headers":{${members.join(',')}}` : undefined
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

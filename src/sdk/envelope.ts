import type { Json, JsonObject } from '../lib/json/value.ts'

/** Vault's answer to a logical request, with the names of the wire. */
export interface Envelope {
  readonly request_id: string
  readonly lease_id: string
  readonly renewable: boolean
  /** Seconds. */
  readonly lease_duration: number
  readonly data: JsonObject | null
  readonly wrap_info: WrapInfo | null
  readonly warnings: readonly string[] | null
  readonly auth: AuthInfo | null
  /** All of it as it came, for whoever prints it. */
  readonly document: JsonObject
}
export interface AuthInfo {
  readonly client_token: string
  readonly accessor: string
  readonly policies: readonly string[]
  readonly token_policies: readonly string[]
  readonly identity_policies: readonly string[]
  readonly metadata: Readonly<Record<string, string>> | null
  /** Seconds; 0 = no end. */
  readonly lease_duration: number
  readonly renewable: boolean
  readonly entity_id: string
  readonly token_type: string
  readonly orphan: boolean
  readonly num_uses: number
  /** When given there is no token yet: a second factor has to be shown to sys/mfa/validate. */
  readonly mfa_requirement?: MfaRequirement
}
export interface MfaRequirement {
  readonly mfa_request_id: string
  /** By the name of the enforcement: one method of each has to be satisfied. */
  readonly mfa_constraints: Readonly<Record<string, readonly MfaMethod[]>>
}
export interface MfaMethod {
  readonly type: string
  readonly id: string
  readonly uses_passcode: boolean
  readonly name: string
}
export interface WrapInfo {
  readonly token: string
  readonly accessor: string
  readonly ttl: number
  readonly creation_time: string
  readonly creation_path: string
  readonly wrapped_accessor: string
}

/** Undefined when the document is no envelope (health, seal-status, init). */
export function readEnvelope(document: Json | undefined): Envelope | undefined {
  if (!isObject(document)) return undefined
  if (!('request_id' in document) && !('lease_id' in document) && !('data' in document)) return undefined
  return {
    request_id: text(document['request_id']),
    lease_id: text(document['lease_id']),
    renewable: document['renewable'] === true,
    lease_duration: integer(document['lease_duration']),
    data: isObject(document['data']) ? document['data'] : null,
    wrap_info: readWrapInfo(document['wrap_info']),
    warnings: Array.isArray(document['warnings']) ? texts(document['warnings']) : null,
    auth: readAuth(document['auth']),
    document,
  }
}

function readAuth(value: Json | undefined): AuthInfo | null {
  if (!isObject(value)) return null
  const mfa = readMfaRequirement(value['mfa_requirement'])
  return {
    client_token: text(value['client_token']),
    accessor: text(value['accessor']),
    policies: texts(value['policies']),
    token_policies: texts(value['token_policies']),
    identity_policies: texts(value['identity_policies']),
    metadata: readMetadata(value['metadata']),
    lease_duration: integer(value['lease_duration']),
    renewable: value['renewable'] === true,
    entity_id: text(value['entity_id']),
    token_type: text(value['token_type']),
    orphan: value['orphan'] === true,
    num_uses: integer(value['num_uses']),
    ...(mfa && { mfa_requirement: mfa }),
  }
}

function readMfaRequirement(value: Json | undefined): MfaRequirement | undefined {
  if (!isObject(value)) return undefined
  const constraints = isObject(value['mfa_constraints']) ? value['mfa_constraints'] : {}
  return {
    mfa_request_id: text(value['mfa_request_id']),
    mfa_constraints: Object.fromEntries(
      Object.entries(constraints).map(([name, constraint]) => {
        const any = isObject(constraint) && Array.isArray(constraint['any']) ? constraint['any'] : []
        return [name, any.filter((method: Json) => isObject(method)).map(readMfaMethod)]
      }),
    ),
  }
}

const readMfaMethod = (value: JsonObject): MfaMethod => ({
  type: text(value['type']),
  id: text(value['id']),
  uses_passcode: value['uses_passcode'] === true,
  name: text(value['name']),
})

function readWrapInfo(value: Json | undefined): WrapInfo | null {
  if (!isObject(value)) return null
  return {
    token: text(value['token']),
    accessor: text(value['accessor']),
    ttl: integer(value['ttl']),
    creation_time: text(value['creation_time']),
    creation_path: text(value['creation_path']),
    wrapped_accessor: text(value['wrapped_accessor']),
  }
}

function readMetadata(value: Json | undefined): Record<string, string> | null {
  if (!isObject(value)) return null
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, text(member)]))
}

/** A JSON object, not a list, number wrapper or raw text. */
export function isObject(value: Json | undefined): value is JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

export const text = (value: Json | undefined): string => (typeof value === 'string' ? value : '')

export const integer = (value: Json | undefined): number => (typeof value === 'number' ? value : 0)

export const texts = (value: Json | undefined): readonly string[] =>
  Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : []

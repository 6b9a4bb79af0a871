import { valueFromJson } from '../../gotemplate/from-json.ts'
import { GoStruct, type Value } from '../../gotemplate/value.ts'
import { JsonNumber } from '../../lib/json/value.ts'
import type { Envelope } from '../../sdk/envelope.ts'

/** When an answer has to be fetched again. */
export type Refresh =
  /** `seconds` of lease; kept alive as long as the server allows. */
  | { readonly kind: 'renew'; readonly leaseId: string; readonly seconds: number }
  /** A lease that can't be renewed: again when `seconds` times a threshold are over. */
  | { readonly kind: 'lease'; readonly seconds: number }
  /** A static role: again in exactly that time. */
  | { readonly kind: 'exact'; readonly seconds: number }
  /** No lease: again after the static interval, or when the server tells of a change. */
  | { readonly kind: 'static' }

/** What `secret` gives to templates: consul-template's *dependency.Secret. */
export function secretValue(envelope: Envelope): Value {
  return new GoStruct(
    'dependency.Secret',
    new Map<string, Value>([
      ['RequestID', envelope.request_id],
      ['LeaseID', envelope.lease_id],
      ['LeaseDuration', BigInt(envelope.lease_duration)],
      ['Renewable', envelope.renewable],
      ['Data', valueFromJson(envelope.data ?? {}, 'text')],
      ['Warnings', [...(envelope.warnings ?? [])]],
      ['Auth', envelope.auth ? valueFromJson(envelope.document['auth'] ?? null, 'text') : null],
      ['WrapInfo', envelope.wrap_info ? valueFromJson(envelope.document['wrap_info'] ?? null, 'text') : null],
    ]),
  )
}

export function listValue(envelope: Envelope | undefined): Value {
  const keys = envelope?.data?.['keys']
  return Array.isArray(keys) ? keys.filter((key): key is string => typeof key === 'string').sort() : []
}

/** A KV version 2 answer whose version is deleted: there is metadata, but no data. */
export function isDeleted(envelope: Envelope): boolean {
  const data = envelope.data
  return data !== null && data['data'] === null && typeof data['metadata'] === 'object'
}

export function refreshOf(envelope: Envelope, nowMs: number): Refresh {
  const { data } = envelope
  const seconds = envelope.lease_duration
  if (envelope.renewable && envelope.lease_id) return { kind: 'renew', leaseId: envelope.lease_id, seconds }
  const ttl = integer(data?.['ttl'])
  if (data?.['rotation_period'] !== undefined && ttl !== undefined) return { kind: 'exact', seconds: ttl + 1 }
  const expiration = integer(data?.['expiration'])
  if (!envelope.lease_id && data?.['certificate'] !== undefined && expiration !== undefined) {
    return { kind: 'lease', seconds: Math.max(1, expiration - nowMs / 1000) }
  }
  const secretIdTtl = integer(data?.['secret_id_ttl'])
  if (data?.['secret_id'] !== undefined && secretIdTtl) return { kind: 'lease', seconds: secretIdTtl }
  return seconds > 0 ? { kind: 'lease', seconds } : { kind: 'static' }
}

function integer(value: unknown): number | undefined {
  if (typeof value === 'number') return value
  return value instanceof JsonNumber ? Number(value.text) : undefined
}

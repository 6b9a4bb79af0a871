/** Why a rule that was found does not permit a request; the one place that says what it takes. */
import { type Json, JsonNumber, type JsonObject } from '../../lib/json/value.ts'
import { parameterProblem } from './parameters.ts'
import type { Permissions } from './permissions.ts'
import { bits, type Capability } from './policy.ts'

export interface AclRequest {
  /** Without a leading slash, namespace not included; LIST and SCAN with their trailing slash. */
  readonly path: string
  readonly operation: 'create' | 'read' | 'update' | 'patch' | 'delete' | 'list' | 'scan' | 'head'
  /** The body's members, of reads and lists the query's. */
  readonly input?: JsonObject
  /** Absent: no wrapping was asked for. */
  readonly wrapTtlMs?: number
}

export type Shortfall =
  | { readonly kind: 'capability'; readonly needs: Capability }
  | { readonly kind: 'wrapping'; readonly minMs: number; readonly maxMs: number }
  | { readonly kind: 'parameter'; readonly name: string; readonly why: 'required' | 'denied' | 'not allowed' }
  | { readonly kind: 'page'; readonly limit: number; readonly why: 'required' | 'not a number' | 'too large' }

export const neededCapability: Readonly<Record<AclRequest['operation'], Capability>> = {
  create: 'create',
  read: 'read',
  head: 'read',
  update: 'update',
  patch: 'patch',
  delete: 'delete',
  list: 'list',
  scan: 'scan',
}

export const isListing = (operation: AclRequest['operation']) => operation === 'list' || operation === 'scan'
const withParameters = new Set<AclRequest['operation']>(['create', 'read', 'update', 'patch'])
const noInput: JsonObject = Object.freeze(Object.create(null))

export function findShortfall(permissions: Permissions, request: AclRequest): Shortfall | undefined {
  const needs = neededCapability[request.operation]
  if ((permissions.capabilities & bits[needs]) === 0) return { kind: 'capability', needs }
  const { minWrapMs: minMs, maxWrapMs: maxMs } = permissions
  if ((minMs > 0 || maxMs > 0) && !wraps(request.wrapTtlMs, minMs, maxMs)) return { kind: 'wrapping', minMs, maxMs }
  if (isListing(request.operation)) return pageProblem(permissions, request.input ?? noInput)
  if (!withParameters.has(request.operation)) return undefined
  const problem = parameterProblem(permissions, request.input ?? noInput)
  return problem && { kind: 'parameter', ...problem }
}

/** Merged policies can contradict each other: then nothing fits. */
function wraps(ttlMs: number | undefined, minMs: number, maxMs: number): boolean {
  return ttlMs !== undefined && ttlMs >= minMs && (maxMs === 0 || (ttlMs <= maxMs && maxMs >= minMs))
}

function pageProblem({ pageLimit: limit, required }: Permissions, input: JsonObject): Shortfall | undefined {
  if (limit === 0) return undefined
  const given = input['limit']
  if (given === undefined) {
    return required.includes('limit') ? { kind: 'page', limit, why: 'required' } : undefined
  }
  if (given === 'max') return undefined
  const wanted = pageSize(given)
  if (wanted === undefined) return { kind: 'page', limit, why: 'not a number' }
  return wanted > limit ? { kind: 'page', limit, why: 'too large' } : undefined
}

/** The page size that a list asks for; undefined when it is no number. */
export function pageSize(given: Json | undefined): number | undefined {
  const text = given instanceof JsonNumber ? given.text : typeof given === 'number' ? String(given) : given
  return typeof text === 'string' && /^[+-]?\d+$/.test(text.trim()) ? Number(text) : undefined
}

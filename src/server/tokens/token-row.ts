/** A token as storage keeps it: everything but the token itself, whose HMAC is the row's name. */
import type { JsonObject } from '../../lib/json/value.ts'
import type { LoginGrant } from '../contracts/access/auth.ts'
import { rootNamespace } from '../contracts/epochs.ts'

export interface TokenRow {
  readonly format: 1
  /** Id of the namespace where it counts; rows of before there were any have none and are root's. */
  readonly namespace: string
  /** '' for batch tokens. */
  readonly accessor: string
  /** Ids of the tokens that it dies with, the nearest first; empty for orphans. */
  readonly ancestors: readonly string[]
  readonly policies: readonly string[]
  readonly path: string
  readonly meta: Readonly<Record<string, string>> | null
  readonly displayName: string
  /** As created; what is left is in a row of its own. 0: any number. */
  readonly numUses: number
  readonly createdAt: number
  readonly creationTtlMs: number
  /** 0: never. */
  readonly expiresAt: number
  readonly explicitMaxTtlMs: number
  readonly periodMs: number
  readonly renewable: boolean
  readonly renewedAt: number
  readonly entityId: string
  readonly type: 'service' | 'batch'
  readonly boundCidrs: readonly string[]
  readonly noDefaultPolicy: boolean
  /** Of the mount that made it: limits for renewals. */
  readonly mount: string
  /** The token role that made it. */
  readonly role?: string
  readonly login?: LoginGrant
  /** Being turned into orphans' former parent: no longer usable itself. */
  readonly closing?: boolean
}

/** Hand-written: it runs whenever a token is seen for the first time or was changed. */
export const tokenRowSchema = {
  parse(value: unknown): TokenRow {
    if (!isRecord(value) || value['format'] !== 1) throw new Error('not a token row')
    const row = value['namespace'] === undefined ? { ...value, namespace: rootNamespace.id } : value
    if (isTokenRow(row)) return row
    throw new Error('not a token row')
  },
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null
const strings = (value: unknown) => Array.isArray(value) && value.every((item) => typeof item === 'string')
const texts = ['namespace', 'accessor', 'path', 'displayName', 'entityId', 'mount']
const numbers = ['numUses', 'createdAt', 'creationTtlMs', 'expiresAt', 'explicitMaxTtlMs', 'periodMs', 'renewedAt']
const lists = ['ancestors', 'policies', 'boundCidrs']

function isTokenRow(value: object): value is TokenRow {
  const row = new Map(Object.entries(value))
  return (
    texts.every((name) => typeof row.get(name) === 'string') &&
    numbers.every((name) => Number.isFinite(row.get(name))) &&
    lists.every((name) => strings(row.get(name))) &&
    (row.get('type') === 'service' || row.get('type') === 'batch') &&
    typeof row.get('renewable') === 'boolean' &&
    typeof row.get('meta') === 'object'
  )
}

export function tokenRowJson(row: TokenRow): JsonObject {
  const { login, ...plain } = row
  return login ? { ...plain, login: { ...login, alias: login.alias && { ...login.alias } } } : plain
}

import { BlockList, isIP, isIPv4 } from 'node:net'
import type { JsonObject } from '../../../lib/json/value.ts'
import type { InputOf } from '../fields.ts'
import { Refusal } from '../request.ts'
import type { LoginGrant } from './auth.ts'

/** What the roles of every auth method say about the tokens they give: the `token_*` fields and their older names. */
export interface RoleTokens {
  readonly policies: readonly string[]
  readonly ttlMs: number
  readonly maxTtlMs: number
  readonly explicitMaxTtlMs: number
  readonly periodMs: number
  readonly numUses: number
  readonly noDefaultPolicy: boolean
  readonly boundCidrs: readonly string[]
  readonly type: LoginGrant['tokenType']
  /** Older names that the role was written with; they are answered as long as nobody uses the newer ones. */
  readonly legacy: readonly LegacyName[]
}

export const defaultRoleTokens: RoleTokens = {
  policies: [],
  ttlMs: 0,
  maxTtlMs: 0,
  explicitMaxTtlMs: 0,
  periodMs: 0,
  numUses: 0,
  noDefaultPolicy: false,
  boundCidrs: [],
  type: 'default',
  legacy: [],
}

const legacyNames = {
  policies: 'token_policies',
  ttl: 'token_ttl',
  max_ttl: 'token_max_ttl',
  period: 'token_period',
  num_uses: 'token_num_uses',
  bound_cidrs: 'token_bound_cidrs',
} as const
type LegacyName = keyof typeof legacyNames
const tokenTypes = ['default', 'service', 'batch', 'default-service', 'default-batch'] as const

const older = (name: LegacyName) => `Older name of ${legacyNames[name]}.`
export const roleTokenFields = {
  token_policies: { kind: 'commaList', description: 'Policies of the tokens.' },
  token_ttl: { kind: 'duration', description: 'How long a token lives when it is made or renewed.' },
  token_max_ttl: { kind: 'duration', description: 'How long a token lives at most.' },
  token_explicit_max_ttl: { kind: 'duration', description: 'As token_max_ttl, and fixed when the token is made.' },
  token_period: { kind: 'duration', description: 'Tokens live for ever if they are renewed within this time.' },
  token_num_uses: { kind: 'int', description: 'How often a token can be used. 0: without limit.' },
  token_no_default_policy: { kind: 'bool', description: 'Tokens do not get the policy "default".' },
  token_bound_cidrs: { kind: 'commaList', description: 'Where tokens may be used from.' },
  token_type: { kind: 'string', description: 'service, batch, default, default-service or default-batch.' },
  token_strictly_bind_ip: { kind: 'bool', description: 'Not supported: must be false.' },
  policies: { kind: 'commaList', description: older('policies'), deprecated: true },
  ttl: { kind: 'duration', description: older('ttl'), deprecated: true },
  max_ttl: { kind: 'duration', description: older('max_ttl'), deprecated: true },
  period: { kind: 'duration', description: older('period'), deprecated: true },
  num_uses: { kind: 'int', description: older('num_uses'), deprecated: true },
  bound_cidrs: { kind: 'commaList', description: older('bound_cidrs'), deprecated: true },
} as const

type RoleTokenInput = Partial<InputOf<typeof roleTokenFields>>

/** What was sent over what there was. Refusal 400 when the result makes no sense. */
export function changeRoleTokens(before: RoleTokens, input: RoleTokenInput): RoleTokens {
  if (input.token_strictly_bind_ip) throw new Refusal(400, 'token_strictly_bind_ip is not supported by this server')
  const policies = input.token_policies ?? input.policies
  const cidrs = input.token_bound_cidrs ?? input.bound_cidrs
  const after: RoleTokens = {
    policies: policies ? cleanPolicies(policies) : before.policies,
    ttlMs: input.token_ttl ?? input.ttl ?? before.ttlMs,
    maxTtlMs: input.token_max_ttl ?? input.max_ttl ?? before.maxTtlMs,
    explicitMaxTtlMs: input.token_explicit_max_ttl ?? before.explicitMaxTtlMs,
    periodMs: input.token_period ?? input.period ?? before.periodMs,
    numUses: input.token_num_uses ?? input.num_uses ?? before.numUses,
    noDefaultPolicy: input.token_no_default_policy ?? before.noDefaultPolicy,
    boundCidrs: cidrs ? checkCidrs(cidrs) : before.boundCidrs,
    type: input.token_type === undefined ? before.type : readType(input.token_type),
    legacy: usedLegacy(before.legacy, input),
  }
  check(after)
  return after
}

function cleanPolicies(names: readonly string[]): string[] {
  return [...new Set(names.map((name) => name.trim().toLowerCase()).filter((name) => name !== ''))].sort()
}

function usedLegacy(before: readonly LegacyName[], input: RoleTokenInput): LegacyName[] {
  const names: LegacyName[] = ['policies', 'ttl', 'max_ttl', 'period', 'num_uses', 'bound_cidrs']
  return names.filter((name) => {
    if (input[legacyNames[name]] !== undefined) return false
    return input[name] !== undefined || before.includes(name)
  })
}

function readType(text: string): RoleTokens['type'] {
  const wanted = text === '' ? 'default' : text
  const found = tokenTypes.find((type) => type === wanted)
  if (!found) throw new Refusal(400, `invalid 'token_type' value ${JSON.stringify(text)}`)
  return found
}

function check(tokens: RoleTokens): void {
  const { ttlMs, maxTtlMs, periodMs, numUses, type } = tokens
  if (numUses < 0) throw new Refusal(400, "'token_num_uses' cannot be negative")
  if (maxTtlMs > 0 && ttlMs > maxTtlMs) throw new Refusal(400, "'token_ttl' cannot be greater than 'token_max_ttl'")
  if (type !== 'batch' && type !== 'default-batch') return
  const batch = "'token_type' cannot be 'batch' or 'default_batch' when set to generate"
  if (numUses > 0) throw new Refusal(400, `${batch} tokens with limited use count`)
  if (periodMs > 0) throw new Refusal(400, `${batch} periodic tokens`)
}

/** Refuses (400) what is no address or block. */
export function checkCidrs(cidrs: readonly string[]): readonly string[] {
  for (const cidr of cidrs)
    if (!parseCidr(cidr))
      throw new Refusal(400, `error parsing bound_cidrs: ${JSON.stringify(cidr)} is no address or CIDR`)
  return cidrs
}

function parseCidr(text: string): { address: string; bits: number; family: 'ipv4' | 'ipv6' } | undefined {
  const [address = '', bits, ...rest] = text.split('/')
  const version = isIP(address)
  const most = version === 6 ? 128 : 32
  const size = bits === undefined ? most : /^\d{1,3}$/.test(bits) ? Number(bits) : -1
  if (version === 0 || rest.length > 0 || size < 0 || size > most) return undefined
  return { address, bits: size, family: version === 6 ? 'ipv6' : 'ipv4' }
}

/** Whether an address lies in one of the ranges; no ranges = everywhere. IPv4 addresses in IPv6 form count as IPv4. */
export function isWithinCidrs(address: string, cidrs: readonly string[]): boolean {
  if (cidrs.length === 0) return true
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '')
  if (!isIP(plain)) return false
  const ranges = new BlockList()
  for (const cidr of cidrs) {
    const range = parseCidr(cidr)
    if (range) ranges.addSubnet(range.address, range.bits, range.family)
  }
  return ranges.check(plain, isIPv4(plain) ? 'ipv4' : 'ipv6')
}

/** The members of a role's answer; times are whole seconds. */
export function roleTokensAnswer(tokens: RoleTokens): JsonObject {
  const seconds = (ms: number) => Math.floor(ms / 1000)
  const answer = {
    token_bound_cidrs: tokens.boundCidrs,
    token_explicit_max_ttl: seconds(tokens.explicitMaxTtlMs),
    token_max_ttl: seconds(tokens.maxTtlMs),
    token_no_default_policy: tokens.noDefaultPolicy,
    token_num_uses: tokens.numUses,
    token_period: seconds(tokens.periodMs),
    token_policies: tokens.policies,
    token_strictly_bind_ip: false,
    token_ttl: seconds(tokens.ttlMs),
    token_type: tokens.type,
  }
  return { ...answer, ...Object.fromEntries(tokens.legacy.map((name) => [name, answer[legacyNames[name]]])) }
}

/** The part of a grant that the role decides. */
export function roleTokensGrant(
  tokens: RoleTokens,
): Pick<
  LoginGrant,
  | 'policies'
  | 'ttlMs'
  | 'maxTtlMs'
  | 'explicitMaxTtlMs'
  | 'periodMs'
  | 'numUses'
  | 'noDefaultPolicy'
  | 'boundCidrs'
  | 'tokenType'
  | 'renewable'
> {
  const { type, legacy: _, ...rest } = tokens
  return { ...rest, tokenType: type, renewable: true }
}

/** For the schemas of role rows. */
export function readRoleTokens(value: unknown): RoleTokens {
  const row: Partial<RoleTokens> = typeof value === 'object' && value !== null ? value : {}
  const known = { ...defaultRoleTokens }
  for (const name of Object.keys(defaultRoleTokens) as (keyof RoleTokens)[]) {
    if (row[name] !== undefined) Object.assign(known, { [name]: row[name] })
  }
  return known
}

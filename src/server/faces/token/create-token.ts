/** auth/token/create: what a token may give to a token. */
import type { InputOf } from '../../contracts/fields.ts'
import { type Call, Refusal, type Reply } from '../../contracts/request.ts'
import { effectiveTtl } from '../../mounts/mount-json.ts'
import { authJson } from '../../tokens/auth-json.ts'
import type { LiveToken } from '../../tokens/live-token.ts'
import { tokenPolicies } from '../../tokens/token-policies.ts'
import { tokenTtl } from '../../tokens/token-ttl.ts'
import type { createFields, TokenFaceOptions } from './token-face.ts'

type Input = InputOf<typeof createFields>

export async function createToken(options: TokenFaceOptions, call: Call<Input>, orphan: boolean): Promise<Reply> {
  const { input } = call
  const presented = options.presented.get(call)
  if (!presented) throw new Refusal(403, 'permission denied')
  const parent = presented.live
  if (parent.row.numUses > 0) throw new Refusal(400, 'restricted use token cannot generate child tokens')
  const { sudo } = presented.acl.check({ path: `${call.mount.path}${call.path}`, operation: 'update' })
  refuseInput(input, sudo)
  const policies = childPolicies(input, parent, sudo)
  const { ttlMs, explicitMaxTtlMs, warnings } = lifetime(options, call, parent, policies)
  for (const name of policies) {
    if (name !== 'root' && !(await options.policies.get(name))) warnings.push(`Policy "${name}" does not exist`)
  }
  const made = await options.tokens.create({
    ...(input.id === '' ? {} : { token: input.id }),
    ...(orphan || input.no_parent ? {} : { parent: parent.id }),
    policies,
    path: `${call.mount.path}${call.path}`,
    meta: input.meta ?? null,
    displayName: displayName(input.display_name),
    numUses: input.num_uses,
    ttlMs,
    explicitMaxTtlMs,
    periodMs: input.period,
    renewable: input.renewable,
    entityId: parent.row.entityId,
    boundCidrs: [],
    noDefaultPolicy: input.no_default_policy,
    mount: call.mount.uuid,
  })
  return { kind: 'auth', auth: authJson(made.token, made.row, ttlMs), warnings }
}

function refuseInput(input: Input, sudo: boolean): void {
  if (input.type === 'batch') throw new Refusal(400, 'batch tokens are not supported by this server')
  if (input.type !== '' && input.type !== 'service')
    throw new Refusal(400, `invalid 'token_type' value "${input.type}"`)
  if (input.entity_alias !== '') throw new Refusal(400, "'entity_alias' is only allowed in combination with token role")
  if (input.num_uses < 0) throw new Refusal(400, 'number of uses cannot be negative')
  if (input.id !== '') {
    if (!sudo) throw new Refusal(400, 'root or sudo privileges required to specify token id')
    if (input.id.includes('.')) throw new Refusal(400, "custom token ID cannot have a '.' in the value")
    if (!/^[\x21-\x7e]{1,512}$/.test(input.id))
      throw new Refusal(400, 'custom token ID has characters that are not printable')
  }
  if (input.no_parent && !sudo) throw new Refusal(400, 'root or sudo privileges required to create orphan token')
  if (input.period > 0 && !sudo) throw new Refusal(400, 'root or sudo privileges required to create periodic token')
}

/** Without sudo a subset of the parent's; without any the parent's. */
function childPolicies(input: Input, parent: LiveToken, sudo: boolean): string[] {
  const own = parent.row.policies
  const asked = input.policies && input.policies.length > 0 ? input.policies : own
  const inherited = asked === own
  // Who can't give itself `default` can't give it to a child either.
  const addDefault = !input.no_default_policy && (inherited || !sudo ? own.includes('default') : true)
  const policies = tokenPolicies(asked, !addDefault).filter((name) => name !== 'default' || !input.no_default_policy)
  if (policies.includes('response-wrapping')) throw new Refusal(400, 'cannot assign policy "response-wrapping"')
  if (policies.includes('root') && !parent.caller.root) {
    throw new Refusal(400, 'root tokens may not be created without parent token being root')
  }
  if (!sudo && !policies.every((name) => own.includes(name))) {
    throw new Refusal(400, 'child policies must be subset of parent')
  }
  return policies
}

interface Lifetime {
  readonly ttlMs: number
  readonly explicitMaxTtlMs: number
  readonly warnings: string[]
}

function lifetime(
  options: TokenFaceOptions,
  call: Call<Input>,
  parent: LiveToken,
  policies: readonly string[],
): Lifetime {
  const { input } = call
  const limits = effectiveTtl(call.mount.config, options.ttl)
  const wantedMs = input.ttl || input.lease
  const early: string[] = []
  let explicitMaxTtlMs = input.explicit_max_ttl
  if (explicitMaxTtlMs > limits.maxTtlMs) {
    early.push(
      `Explicit max TTL of ${explicitMaxTtlMs / 1000} seconds is greater than the mount's maximum; it is capped accordingly`,
    )
    explicitMaxTtlMs = limits.maxTtlMs
  }
  if (policies.includes('root') && wantedMs === 0 && input.period === 0 && explicitMaxTtlMs === 0) {
    if (parent.row.expiresAt > 0) throw new Refusal(400, 'expiring root tokens cannot create non-expiring root tokens')
    return { ttlMs: 0, explicitMaxTtlMs, warnings: early }
  }
  const { ttlMs, warnings } = tokenTtl({
    wantedMs,
    roleTtlMs: 0,
    roleMaxTtlMs: 0,
    explicitMaxTtlMs,
    periodMs: input.period,
    ...limits,
    issuedAt: call.now,
    now: call.now,
  })
  return { ttlMs, explicitMaxTtlMs, warnings: [...early, ...warnings] }
}

const displayName = (name: string) =>
  name === '' ? 'token' : `token-${name.replace(/[^a-zA-Z0-9-]/g, '-')}`.replace(/-$/, '')

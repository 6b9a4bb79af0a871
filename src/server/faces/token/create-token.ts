/** auth/token/create: what a token may give to a token. */
import { type Call, type Operation, operation, Refusal, type Reply, type Route } from '../../contracts/request.ts'
import { effectiveTtl } from '../../mounts/mount-json.ts'
import { authJson } from '../../tokens/auth-json.ts'
import type { NewToken } from '../../tokens/new-token.ts'
import type { Presented } from '../../tokens/presented-tokens.ts'
import { matchesGlob } from '../../tokens/roles/role-policies.ts'
import { childLifetime, type Lifetime } from './child-lifetime.ts'
import { childPolicies } from './child-policies.ts'
import { type CreateInput, createFields } from './create-fields.ts'
import type { TokenFaceOptions } from './token-face.ts'
import type { NamedRole, TokenRequest } from './token-request.ts'

export function createRoutes(options: TokenFaceOptions): Route[] {
  // That a path of its own makes orphans is for policies to tell apart: it needs no sudo, as in Vault.
  const update = (orphan: boolean): Operation =>
    operation({
      input: createFields,
      handle: async (call) => createToken(options, call, orphan, await roleOf(options, call)),
    })
  return [
    { path: 'create', summary: 'Makes a token.', on: { update: update(false) } },
    { path: 'create-orphan', summary: 'Makes a token without parent.', on: { update: update(true) } },
    { path: 'create/{role_name}', summary: 'Makes a token by the rules of a role.', on: { update: update(false) } },
  ]
}

async function roleOf({ tokens, namespace }: TokenFaceOptions, call: Call<unknown>): Promise<NamedRole | undefined> {
  const name = call.params['role_name']
  if (name === undefined) return undefined
  const role = await tokens.roles(namespace.id).get(name)
  if (!role) throw new Refusal(400, `unknown role ${name}`)
  return { name, role }
}

async function createToken(
  options: TokenFaceOptions,
  call: Call<CreateInput>,
  orphan: boolean,
  role: NamedRole | undefined,
): Promise<Reply> {
  const presented = options.presented.get(call)
  if (!presented) throw new Refusal(403, 'permission denied')
  const request = requestOf(call, presented, orphan, role)
  refuseInput(request)
  checkAlias(request)
  refuseId(request)
  const policies = childPolicies(request)
  if (!role && call.input.no_parent && !request.sudo)
    throw new Refusal(400, 'root or sudo privileges required to create orphan token')
  if (call.input.period > 0 && !request.sudo)
    throw new Refusal(400, 'root or sudo privileges required to create periodic token')
  const lifetime = childLifetime(request, policies, effectiveTtl(call.mount.config, options.ttl))
  const warnings = [...lifetime.warnings]
  for (const name of policies) {
    if (name !== 'root' && !(await options.policies.get(name))) warnings.push(`Policy "${name}" does not exist`)
  }
  const entityId = await entityOf(options, request)
  const { token, row } = await options.tokens.create(newToken(request, policies, lifetime, entityId))
  const identity = await options.tokens.identityPolicies(row, options.nounsOf(options.namespace).identity)
  return { kind: 'auth', auth: authJson(token, row, lifetime.ttlMs, identity), warnings }
}

/** Each is looked up. */
const maxPolicies = 1000

function requestOf(
  call: Call<CreateInput>,
  { live, acl }: Presented,
  orphan: boolean,
  role: NamedRole | undefined,
): TokenRequest {
  const { input } = call
  if (live.row.type === 'batch') throw new Refusal(400, 'batch tokens cannot create more tokens')
  if (live.row.numUses > 0) throw new Refusal(400, 'restricted use token cannot generate child tokens')
  const { sudo } = acl.check({ path: `${call.mount.path}${call.path}`, operation: 'update' })
  const foreign = live.row.namespace !== call.namespace.id
  if (foreign && !sudo) {
    throw new Refusal(400, 'root or sudo privileges required to directly generate a token in a child namespace')
  }
  return {
    call,
    input,
    parent: live,
    sudo,
    foreign,
    type: typeOf(input.type, role),
    orphan: role ? role.role.orphan : orphan || input.no_parent,
    ...(role ? { role } : {}),
  }
}

/** A role that says "service" or "batch" decides; its "default-" kinds count when the request says nothing. */
function typeOf(asked: string, named: NamedRole | undefined): 'service' | 'batch' {
  const ruled = named?.role.type
  const wanted =
    ruled === 'service' || ruled === 'batch' ? ruled : asked || (ruled === 'default-batch' ? 'batch' : 'service')
  if (wanted !== 'service' && wanted !== 'batch') throw new Refusal(400, "invalid 'token_type' value")
  return wanted
}

function refuseInput(request: TokenRequest): void {
  const { input, type } = request
  const without: [string, boolean][] = [
    ['explicit_max_ttl', input.explicit_max_ttl > 0],
    ['num_uses', usesOf(request) !== 0],
    ['period', input.period > 0],
    ['id', input.id !== ''],
  ]
  const wrong = type === 'batch' && without.find(([, given]) => given)
  if (wrong) throw new Refusal(400, `batch tokens cannot have "${wrong[0]}" set`)
  if (input.num_uses < 0) throw new Refusal(400, 'number of uses cannot be negative')
  if ((input.policies?.length ?? 0) > maxPolicies) {
    throw new Refusal(400, `a token has at most ${maxPolicies} policies, and ${input.policies?.length} were given`)
  }
}

function refuseId({ input, sudo, call }: TokenRequest): void {
  if (input.id === '') return
  if (!sudo) throw new Refusal(400, 'root or sudo privileges required to specify token id')
  if (call.namespace.path !== '') {
    throw new Refusal(400, 'token IDs can only be manually specified in the root namespace')
  }
  if (input.id.includes('.')) throw new Refusal(400, "custom token ID cannot have a '.' in the value")
  if (!/^[\x21-\x7e]{1,512}$/.test(input.id))
    throw new Refusal(400, 'custom token ID has characters that are not printable')
}

function checkAlias({ input, role }: TokenRequest): void {
  if (input.entity_alias === '') return
  if (!role) throw new Refusal(400, "'entity_alias' is only allowed in combination with token role")
  if (!matchesGlob(role.role.allowedEntityAliases ?? [], input.entity_alias.toLowerCase()))
    throw new Refusal(400, "invalid 'entity_alias' value")
}

/** The alias's entity, which is made if need be; else the parent's, but not that of another namespace, where it means nobody. */
async function entityOf(options: TokenFaceOptions, request: TokenRequest): Promise<string> {
  const { input, call, orphan, foreign, parent } = request
  if (input.entity_alias === '') return orphan || foreign ? '' : parent.row.entityId
  const entityId = await options.nounsOf(options.namespace).identity.login({
    mountAccessor: call.mount.accessor,
    mountType: call.mount.type,
    mountPath: call.mount.path,
    name: input.entity_alias,
    metadata: {},
  })
  if (entityId === '') throw new Refusal(400, 'failed to create or fetch entity from given entity alias')
  return entityId
}

function newToken(request: TokenRequest, policies: readonly string[], lifetime: Lifetime, entityId: string): NewToken {
  const { input, call, parent, role, orphan, type } = request
  const { ttlMs, explicitMaxTtlMs, periodMs } = lifetime
  const boundCidrs = role ? role.role.boundCidrs : orphan ? [] : parent.row.boundCidrs
  const suffix = role && role.role.pathSuffix !== '' ? `/${role.role.pathSuffix}` : ''
  return {
    namespace: call.namespace.id,
    type,
    ...(input.id === '' ? {} : { token: input.id }),
    ...(orphan ? {} : { parent: parent.id }),
    policies,
    path: `${call.mount.path}${call.path}${suffix}`,
    meta: input.meta ?? null,
    displayName: displayName(input.display_name),
    numUses: usesOf(request),
    ttlMs,
    explicitMaxTtlMs,
    periodMs,
    renewable: input.renewable && role?.role.renewable !== false,
    entityId,
    // A root token that never expires can't be locked out by an address.
    boundCidrs: ttlMs === 0 ? [] : boundCidrs,
    noDefaultPolicy: input.no_default_policy,
    mount: call.mount.uuid,
    ...(role ? { role: role.name } : {}),
  }
}

/** The lesser of what the request and the role say; 0 is any number. */
function usesOf({ input, role }: TokenRequest): number {
  const ruled = role?.role.numUses ?? 0
  if (ruled === 0 || input.num_uses < 0) return input.num_uses
  return input.num_uses === 0 ? ruled : Math.min(ruled, input.num_uses)
}

const displayName = (name: string) =>
  name === '' ? 'token' : `token-${name.replace(/[^a-zA-Z0-9-]/g, '-')}`.replace(/-$/, '')

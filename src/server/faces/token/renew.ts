import type { AuthMethod, LoginGrant } from '../../contracts/access/auth.ts'
import { type Call, operation, Refusal, type Reply, type Route } from '../../contracts/request.ts'
import type { Mount } from '../../mounts/mount.ts'
import { effectiveTtl } from '../../mounts/mount-json.ts'
import { authJson } from '../../tokens/auth-json.ts'
import type { TokenRole } from '../../tokens/roles/token-role.ts'
import type { TokenRow } from '../../tokens/token-row.ts'
import type { FoundToken } from '../../tokens/token-store.ts'
import { tokenTtl } from '../../tokens/token-ttl.ts'
import { findByAccessor, findToken } from './found-token.ts'
import type { TokenFaceOptions } from './token-face.ts'
import { accessorField, incrementField, tokenField } from './token-fields.ts'

type RenewCall = Call<{ readonly increment: number }>

export function renewRoutes(options: TokenFaceOptions): Route[] {
  const { tokens, presented } = options
  const self = operation({
    input: { increment: incrementField, token: tokenField },
    handle: async (call) => {
      const token = presented.get(call)?.token ?? ''
      return renew(options, call, await tokens.lookup(token), token)
    },
  })
  const other = operation({
    input: { increment: incrementField, token: tokenField },
    handle: async (call) => {
      const { token } = call.input
      if (token === '') throw new Refusal(400, 'missing token ID')
      return renew(options, call, await findToken(options, token), token)
    },
  })
  const byAccessor = operation({
    input: { increment: incrementField, accessor: accessorField },
    handle: async (call) => {
      if (call.input.accessor === '') throw new Refusal(400, '1 error occurred:\n\t* missing accessor\n\n')
      const found = await findByAccessor(options, call.input.accessor)
      if (!found) throw new Refusal(400, '1 error occurred:\n\t* invalid accessor\n\n')
      return renew(options, call, found, '')
    },
  })
  return [
    { path: 'renew-self', summary: 'Prolongs the token of the request.', on: { update: self } },
    { path: 'renew', summary: 'Prolongs a token.', on: { update: other } },
    { path: 'renew-accessor', summary: 'Prolongs the token of an accessor.', on: { update: byAccessor } },
  ]
}

/** `token`: as it is answered; '' when it was asked for by its accessor. */
async function renew(
  options: TokenFaceOptions,
  call: RenewCall,
  found: FoundToken | undefined,
  token: string,
): Promise<Reply> {
  if (!found) throw new Refusal(400, 'token not found')
  const { id, row } = found
  if (row.type === 'batch') throw new Refusal(400, 'batch tokens cannot be renewed')
  if (row.expiresAt === 0 || !row.renewable) throw new Refusal(400, 'lease is not renewable')
  const namespace = options.namespaceOf(row.namespace)
  if (!namespace) throw new Refusal(400, 'token not found')
  const nouns = options.nounsOf(namespace)
  const mount = await nouns.mounts.find(row.mount)
  const grant = row.login && (await regrant(mount, row.login))
  const role = row.role === undefined ? undefined : await todaysRole(options, row.namespace, row.role)
  const limits = mount ? effectiveTtl(mount.info.config, options.ttl) : options.ttl
  const { ttlMs, warnings } = tokenTtl({
    wantedMs: call.input.increment,
    ...ruled(row, grant, role),
    ...limits,
    issuedAt: row.createdAt,
    now: call.now,
  })
  const next = await options.tokens.renew(id, ttlMs, call.now, grant)
  const identity = await options.tokens.identityPolicies(next, nouns.identity)
  return { kind: 'auth', auth: authJson(token, next, ttlMs, identity), warnings }
}

/** What counts for this renewal: today's role or grant. The explicit maximum was fixed at creation: a role can only lower it. */
function ruled(row: TokenRow, grant: LoginGrant | undefined, role: TokenRole | undefined) {
  const explicit = [row.explicitMaxTtlMs, role?.explicitMaxTtlMs ?? 0].filter((ms) => ms > 0)
  return {
    roleTtlMs: grant ? grant.ttlMs : row.creationTtlMs,
    roleMaxTtlMs: grant?.maxTtlMs ?? 0,
    explicitMaxTtlMs: explicit.length > 0 ? Math.min(...explicit) : 0,
    periodMs: grant ? grant.periodMs : role ? role.periodMs : row.periodMs,
  }
}

async function todaysRole({ tokens }: TokenFaceOptions, namespaceId: string, name: string): Promise<TokenRole> {
  const role = await tokens.roles(namespaceId).get(name)
  if (!role) throw new Refusal(400, `original token role "${name}" could not be found, not renewing`)
  return role
}

/** The method says what today's role allows, or refuses. */
async function regrant(mount: Mount | undefined, login: LoginGrant): Promise<LoginGrant> {
  if (!mount) throw new Refusal(400, 'the auth method of this token is gone')
  const method: AuthMethod = mount.engine
  return method.renew ? method.renew(login) : login
}

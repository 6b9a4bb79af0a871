/** Identity tokens: made for an entity, and judged when someone shows one. */
import { Refusal } from '../../contracts/request.ts'
import type { IdentityStore } from '../identity-store.ts'
import { fillClaims } from './claims.ts'
import type { OidcStore } from './oidc-store.ts'
import { readToken, signToken } from './signing.ts'

export interface IssuedToken {
  readonly token: string
  readonly clientId: string
  readonly ttlMs: number
}

export interface Issuing {
  readonly oidc: OidcStore
  readonly identity: IdentityStore
  /** Milliseconds since the epoch. */
  readonly now: number
}

export async function issueToken(
  { oidc, identity, now }: Issuing,
  roleName: string,
  entityId: string,
): Promise<IssuedToken> {
  const role = await oidc.role(roleName)
  if (!role) throw new Refusal(400, `role ${JSON.stringify(roleName)} not found`)
  const key = await oidc.signer(role.key)
  if (!key) throw new Refusal(400, `key ${JSON.stringify(role.key)} not found`)
  if (!key.allowed.includes('*') && !key.allowed.includes(role.clientId)) {
    throw new Refusal(
      400,
      `the key ${JSON.stringify(role.key)} does not list the client ID of the role ${JSON.stringify(roleName)} as an allowed client ID`,
    )
  }
  const entity = await identity.entityOf(entityId)
  if (!entity) throw new Refusal(400, "no entity associated with the request's token")
  if (entity.disabled) throw new Refusal(403, 'permission denied')
  const { direct, inherited } = await identity.membershipsOf(entity)
  const claims = fillClaims(role.template, { entity, groups: [...direct, ...inherited], now })
  if (!claims) throw new Error('a stored template makes no claims')
  const iat = Math.floor(now / 1000)
  const payload = {
    ...claims,
    aud: role.clientId,
    exp: iat + Math.floor(role.ttlMs / 1000),
    iat,
    iss: await oidc.issuer(),
    namespace: identity.namespaceId,
    sub: entity.id,
  }
  const { kid, algorithm, privateKey = '' } = key.current
  const token = signToken(algorithm, kid, privateKey, JSON.stringify(payload))
  return { token, clientId: role.clientId, ttlMs: role.ttlMs }
}

/** Undefined when it is good, else why it is not. `clientId` '' is anyone. */
export async function judgeToken(
  { oidc, identity, now }: Issuing,
  token: string,
  clientId: string,
): Promise<string | undefined> {
  const read = readToken(token)
  if (!read) return 'error parsing token'
  const found = (await oidc.published()).find(({ kid }) => kid === read.kid)
  if (!found || !read.isSignedBy(found.algorithm, found.publicKey)) return 'unable to validate the token signature'
  const { iss, exp, aud, sub } = read.claims
  if (iss !== (await oidc.issuer())) return 'invalid issuer claim'
  if (typeof exp !== 'number' || exp * 1000 <= now) return 'token is expired'
  if (clientId !== '' && aud !== clientId) return 'invalid audience claim'
  const entity = typeof sub === 'string' ? await identity.entityOf(sub) : undefined
  if (!entity) return 'entity was not found'
  return entity.disabled ? 'entity is disabled' : undefined
}

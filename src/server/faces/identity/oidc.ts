/** identity/oidc: keys, roles and tokens of this namespace as an issuer. */
import type { JsonObject } from '../../../lib/json/value.ts'
import type { Fields } from '../../contracts/fields.ts'
import { type Call, operation, Refusal, type Reply, type Route } from '../../contracts/request.ts'
import type { IdentityStore } from '../../identity/identity-store.ts'
import { issueToken, judgeToken } from '../../identity/oidc/issue-token.ts'
import { issuerWarning } from '../../identity/oidc/issuer.ts'
import type { SigningKey } from '../../identity/oidc/oidc-rows.ts'
import type { OidcStore } from '../../identity/oidc/oidc-store.ts'
import { algorithms } from '../../identity/oidc/signing.ts'

export interface OidcRoutesOptions {
  readonly identity: IdentityStore
  readonly oidc: OidcStore
}

const keyFields = {
  rotation_period: { kind: 'duration', description: 'How often the key changes by itself; 24h by default' },
  verification_ttl: { kind: 'duration', description: 'How long a former key is published; 24h by default' },
  allowed_client_ids: { kind: 'commaList', description: 'Client ids of the roles that may sign with it; * is all' },
  algorithm: { kind: 'string', description: `${algorithms.join(', ')}; RS256 by default` },
} as const satisfies Fields

const roleFields = {
  key: { kind: 'string', description: 'The key that signs', required: true },
  template: { kind: 'string', description: 'Further claims: JSON with {{identity.…}} for values; may be base64' },
  ttl: { kind: 'duration', description: 'How long tokens are good; 24h by default' },
  client_id: { kind: 'string', description: 'The audience of the tokens; by default a random one' },
} as const satisfies Fields

const empty: Reply = { kind: 'none' }
const nameOf = (call: Call<unknown>) => call.params['name'] ?? ''
const seconds = (ms: number) => Math.floor(ms / 1000)

export function oidcRoutes(options: OidcRoutesOptions): Route[] {
  return [
    configRoute(options),
    ...keyRoutes(options),
    ...roleRoutes(options),
    ...tokenRoutes(options),
    ...wellKnown(options),
  ]
}

function configRoute({ oidc }: OidcRoutesOptions): Route {
  const write = operation({
    input: {
      issuer: {
        kind: 'string',
        description: 'Scheme, host and port; by default the address of this server',
        default: '',
      },
    },
    handle: async (call) => {
      await oidc.configure(call.input.issuer)
      if (call.input.issuer === '') return empty
      call.warn(issuerWarning)
      return empty
    },
  })
  const read = operation({
    input: {},
    handle: async () => ({ kind: 'data', data: { issuer: await oidc.configuredIssuer() } }),
  })
  return { path: 'oidc/config', summary: 'The issuer of identity tokens.', on: { read, update: write } }
}

function keyRoutes({ oidc }: OidcRoutesOptions): Route[] {
  const read = operation({
    input: {},
    handle: async (call) => {
      const key = await oidc.keySettings(nameOf(call))
      if (!key) return empty
      return {
        kind: 'data',
        data: {
          algorithm: key.algorithm,
          allowed_client_ids: key.allowed,
          rotation_period: seconds(key.rotationMs),
          verification_ttl: seconds(key.verificationMs),
        },
      }
    },
  })
  const write = operation({
    input: keyFields,
    handle: async (call) => {
      const { algorithm, rotation_period: rotationMs, verification_ttl: verificationMs } = call.input
      const allowed = call.input.allowed_client_ids
      await oidc.putKey(nameOf(call), { algorithm, rotationMs, verificationMs, allowed })
      return empty
    },
  })
  const remove = operation({
    input: {},
    handle: async (call) => {
      await oidc.deleteKey(nameOf(call))
      return empty
    },
  })
  const rotate = operation({
    input: { verification_ttl: { kind: 'duration', description: 'For what the key has signed until now' } },
    handle: async (call) => {
      await oidc.rotate(nameOf(call), call.input.verification_ttl)
      return empty
    },
  })
  const list = operation({ input: {}, handle: async () => ({ kind: 'data', data: { keys: await oidc.keyNames() } }) })
  return [
    { path: 'oidc/key', summary: 'Lists the keys of identity tokens.', on: { list } },
    {
      path: 'oidc/key/{name}',
      summary: 'A key of identity tokens.',
      exists: async (call) => (await oidc.keySettings(nameOf(call))) !== undefined,
      on: { read, update: write, delete: remove },
    },
    { path: 'oidc/key/{name}/rotate', summary: 'Lets the next key sign from now on.', on: { update: rotate } },
  ]
}

function roleRoutes({ oidc }: OidcRoutesOptions): Route[] {
  const read = operation({
    input: {},
    handle: async (call) => {
      const role = await oidc.role(nameOf(call))
      if (!role) return empty
      const { clientId: client_id, key, template, ttlMs } = role
      return { kind: 'data', data: { client_id, key, template, ttl: seconds(ttlMs) } }
    },
  })
  const write = operation({
    input: roleFields,
    handle: async (call) => {
      const { key, template, ttl: ttlMs, client_id: clientId } = call.input
      await oidc.putRole(nameOf(call), { key, template, ttlMs, clientId })
      return empty
    },
  })
  const remove = operation({
    input: {},
    handle: async (call) => {
      await oidc.deleteRole(nameOf(call))
      return empty
    },
  })
  const list = operation({ input: {}, handle: async () => ({ kind: 'data', data: { keys: await oidc.roleNames() } }) })
  return [
    { path: 'oidc/role', summary: 'Lists the roles of identity tokens.', on: { list } },
    {
      path: 'oidc/role/{name}',
      summary: 'What identity tokens claim.',
      exists: async (call) => (await oidc.role(nameOf(call))) !== undefined,
      on: { read, update: write, delete: remove },
    },
  ]
}

function tokenRoutes({ identity, oidc }: OidcRoutesOptions): Route[] {
  const issue = operation({
    input: {},
    handle: async (call) => {
      const entityId = call.caller?.entityId ?? ''
      const made = await issueToken({ oidc, identity, now: call.now }, nameOf(call), entityId)
      return {
        kind: 'data',
        data: { client_id: made.clientId, token: made.token, ttl: seconds(made.ttlMs) },
      }
    },
  })
  const introspect = operation({
    input: {
      token: { kind: 'string', description: 'The identity token', default: '' },
      client_id: { kind: 'string', description: 'Who it must be meant for', default: '' },
    },
    effect: 'none',
    handle: async (call) => {
      if (call.input.token === '') throw new Refusal(400, 'missing token')
      const error = await judgeToken({ oidc, identity, now: call.now }, call.input.token, call.input.client_id)
      return { kind: 'document', body: error === undefined ? { active: true } : { active: false, error } }
    },
  })
  return [
    { path: 'oidc/token/{name}', summary: 'An identity token for the entity of the caller.', on: { read: issue } },
    { path: 'oidc/introspect', summary: 'Whether an identity token is good.', on: { update: introspect } },
  ]
}

export function jwkOf({ kid, algorithm, publicKey }: SigningKey): JsonObject {
  const { kty, ...members } = publicKey
  return { use: 'sig', kty, kid, alg: algorithm, ...members }
}

function wellKnown({ oidc }: OidcRoutesOptions): Route[] {
  const discovery = operation({
    input: {},
    access: 'public',
    handle: async () => {
      const issuer = await oidc.issuer()
      return {
        kind: 'document',
        headers: { 'Cache-Control': 'max-age=3600' },
        body: {
          issuer,
          jwks_uri: `${issuer}/.well-known/keys`,
          response_types_supported: ['id_token'],
          subject_types_supported: ['public'],
          id_token_signing_alg_values_supported: algorithms,
        },
      }
    },
  })
  const keys = operation({
    input: {},
    access: 'public',
    handle: async () => {
      const published = await oidc.published()
      return { kind: 'document', body: { keys: published.map(jwkOf) } }
    },
  })
  return [
    { path: 'oidc/.well-known/openid-configuration', summary: 'Discovery, for verifiers.', on: { read: discovery } },
    { path: 'oidc/.well-known/keys', summary: 'The public keys (JWKS), for verifiers.', on: { read: keys } },
  ]
}

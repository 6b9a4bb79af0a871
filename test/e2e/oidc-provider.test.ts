/** An application that lets people in by this server, as its OpenID Connect library would: over the network, by discovery alone. */
import { createHash, randomBytes } from 'node:crypto'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startServer, type TestServer } from './server-process.ts'

let server: TestServer
beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server.close())

async function write(path: string, body: object): Promise<any> {
  const answer = await server.request('POST', path, body)
  expect([path, answer.status < 300, answer.text]).toEqual([path, true, answer.text])
  return answer.json?.data ?? answer.json
}

/** A token of an entity. */
async function person(): Promise<{ token: string; entityId: string }> {
  const { id: entityId } = await write('identity/entity', { name: 'anna' })
  const mounts = (await server.request('GET', 'sys/auth')).json.data
  const alias = { name: 'anna', canonical_id: entityId, mount_accessor: mounts['token/'].accessor }
  await write('identity/entity-alias', alias)
  await write('auth/token/roles/people', { allowed_entity_aliases: 'anna' })
  const made = await server.request('POST', 'auth/token/create/people', { entity_alias: 'anna' })
  return { token: made.json.auth.client_token, entityId }
}

it('a person logs in to an application that knows nothing but the address of the provider', async () => {
  const { token, entityId } = await person()
  const redirect = 'https://app.example/callback'
  await write('identity/oidc/scope/profile', { template: '{"username": {{identity.entity.name}}}' })
  await write('identity/oidc/client/app', { redirect_uris: redirect, assignments: 'allow_all' })
  await write('identity/oidc/provider/default', { scopes_supported: 'profile' })
  const client = (await server.request('GET', 'identity/oidc/client/app')).json.data

  const address = `${server.url}/v1/identity/oidc/provider/default`
  const found: any = await (await fetch(`${address}/.well-known/openid-configuration`)).json()
  // Without api_addr it is where the server listens.
  expect(found.issuer).toBe(address)

  // What the page that people see does with their token.
  const verifier = randomBytes(32).toString('base64url')
  const query = new URLSearchParams({
    client_id: client.client_id,
    redirect_uri: redirect,
    response_type: 'code',
    scope: 'openid profile',
    state: 's',
    nonce: 'n',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  })
  const { code, state }: any = (
    await server.request('GET', `identity/oidc/provider/default/authorize?${query}`, undefined, token)
  ).json
  expect(state).toBe('s')

  const secret = Buffer.from(`${client.client_id}:${client.client_secret}`).toString('base64')
  const answer = await fetch(found.token_endpoint, {
    method: 'POST',
    headers: { Authorization: `Basic ${secret}` },
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      code,
      redirect_uri: redirect,
      code_verifier: verifier,
    }),
  })
  expect(answer.headers.get('cache-control')).toBe('no-store')
  const tokens: any = await answer.json()
  const { payload } = await jwtVerify(tokens.id_token, createRemoteJWKSet(new URL(found.jwks_uri)), {
    issuer: found.issuer,
    audience: client.client_id,
  })
  expect(payload).toMatchObject({ sub: entityId, nonce: 'n', username: 'anna' })

  const info = await fetch(found.userinfo_endpoint, { headers: { Authorization: `Bearer ${tokens.access_token}` } })
  expect(await info.json()).toEqual({ sub: entityId, username: 'anna' })
  for (const secret of [client.client_secret, code, tokens.access_token]) expect(server.output()).not.toContain(secret)
})

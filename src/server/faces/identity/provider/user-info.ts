import type { JsonObject } from '../../../../lib/json/value.ts'
import { type Call, operation, type Reply, type Route } from '../../../contracts/request.ts'
import { OidcProblem } from '../../../identity/oidc/login/oidc-problem.ts'
import { userInfo } from '../../../identity/oidc/login/user-info.ts'
import { accessOf } from './access-token.ts'
import { orProblem } from './problem-reply.ts'
import type { ProviderFaceOptions } from './provider-routes.ts'

const statuses = { invalid_token: 401, access_denied: 403, server_error: 500 }
const invalidToken = (description: string) => new OidcProblem('invalid_token', description)

export function userInfoRoutes({ oidcProvider, presented }: ProviderFaceOptions): Route[] {
  const access = (call: Call<unknown>, provider: string) => {
    const { headers } = call
    if (headers['x-vault-token'] !== undefined || !/^bearer /i.test(headers['authorization'] ?? '')) {
      throw invalidToken('access token must be sent as a Bearer token')
    }
    const live = presented.get(call)?.live
    if (!live) throw invalidToken('access token is expired')
    const found = accessOf(live.row, call.namespace.id, provider)
    if (!found) throw invalidToken('access token is malformed or invalid')
    return found
  }
  const handle = (call: Call<unknown>): Promise<Reply> =>
    orProblem({ statuses, headers: challenge }, async () => {
      const provider = call.params['name'] ?? ''
      if (!(await oidcProvider.providers.get(provider))) {
        throw new OidcProblem('invalid_request', 'provider not found')
      }
      const claims = await userInfo(oidcProvider, provider, access(call, provider), call.now)
      return { kind: 'document', body: claims as JsonObject }
    })
  // The token itself says what may be read; policies have no part in it.
  const read = operation({ input: {}, access: 'optional', effect: 'none', handle })
  return [
    {
      path: 'oidc/provider/{name}/userinfo',
      summary: 'What an access token says about who logged in.',
      on: { read, update: read },
    },
  ]
}

/** RFC 6750, 3. */
function challenge({ error, message }: OidcProblem): Record<string, string> {
  if (error !== 'invalid_request' && error !== 'invalid_token') return {}
  const quote = (text: string) => JSON.stringify(text.replace(/[^\x20-\x7e]/g, '?'))
  return { 'WWW-Authenticate': `Bearer error=${quote(error)},error_description=${quote(message)}` }
}

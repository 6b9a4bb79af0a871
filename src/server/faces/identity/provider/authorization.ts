import type { Fields, InputOf } from '../../../contracts/fields.ts'
import { type Call, operation, type Reply, type Route } from '../../../contracts/request.ts'
import { authorize } from '../../../identity/oidc/login/authorize.ts'
import { orProblem } from './problem-reply.ts'
import type { ProviderFaceOptions } from './provider-routes.ts'

const fields = {
  client_id: { kind: 'string', description: 'Who people log in to', required: true, default: '' },
  scope: { kind: 'string', description: 'Separated by spaces; openid must be among them', required: true, default: '' },
  redirect_uri: { kind: 'string', description: 'Where the code is to be brought', required: true, default: '' },
  response_type: { kind: 'string', description: 'code', required: true, default: '' },
  state: { kind: 'string', description: 'Comes back as it is', default: '' },
  nonce: { kind: 'string', description: 'Comes back in the ID token', default: '' },
  max_age: { kind: 'int', description: 'Seconds since the last login at most' },
  code_challenge: { kind: 'string', description: 'PKCE; public clients must' },
  code_challenge_method: { kind: 'string', description: 'S256 or plain', default: 'plain' },
  request: { kind: 'string', description: 'Not supported: refused' },
  request_uri: { kind: 'string', description: 'Not supported: refused' },
} as const satisfies Fields

const statuses = { server_error: 500 }

export function authorizationRoutes({ oidcProvider, presented }: ProviderFaceOptions): Route[] {
  const handle = (call: Call<InputOf<typeof fields>>): Promise<Reply> => {
    const { input, caller, now } = call
    const { state } = input
    // A request object says itself what its state is.
    const besides = input.request === undefined && input.request_uri === undefined ? { state } : { state: '' }
    return orProblem({ statuses, besides }, async () => {
      const code = await authorize(oidcProvider, {
        provider: call.params['name'] ?? '',
        clientId: input.client_id,
        scope: input.scope,
        redirectUri: input.redirect_uri,
        responseType: input.response_type,
        nonce: input.nonce,
        maxAge: input.max_age,
        challenge: input.code_challenge,
        challengeMethod: input.code_challenge_method,
        request: input.request,
        requestUri: input.request_uri,
        entityId: caller?.entityId ?? '',
        loggedInAt: presented.get(call)?.live.row.createdAt ?? 0,
        now,
      })
      return { kind: 'document', body: { code, state } }
    })
  }
  const authorization = operation({ input: fields, effect: 'storage', handle })
  return [
    {
      path: 'oidc/provider/{name}/authorize',
      summary: 'A code that logs the caller in to a client.',
      on: { read: authorization, update: authorization },
    },
  ]
}

import type { VaultClient } from '../client.ts'
import { type AuthInfo, integer, isObject, text, texts } from '../envelope.ts'
import { LoginIncomplete } from './login.ts'

/** Asks the server about a token at hand; what comes back has the form of a login. ResponseError 403: not a valid token. */
export async function loginToken(client: VaultClient, token: string, signal?: AbortSignal): Promise<AuthInfo> {
  const envelope = await client.read('auth/token/lookup-self', undefined, { token, ...(signal && { signal }) })
  const data = envelope?.data
  if (!data) throw new LoginIncomplete('auth/token/lookup-self answered without data')
  const meta = data['meta']
  return {
    client_token: token,
    accessor: text(data['accessor']),
    policies: texts(data['policies']),
    token_policies: texts(data['policies']),
    identity_policies: texts(data['identity_policies']),
    metadata: isObject(meta) ? Object.fromEntries(Object.entries(meta).map(([k, v]) => [k, text(v)])) : null,
    lease_duration: integer(data['ttl']),
    renewable: data['renewable'] === true,
    entity_id: text(data['entity_id']),
    token_type: text(data['type']),
    orphan: data['orphan'] === true,
    num_uses: integer(data['num_uses']),
  }
}

import type { VaultClient } from '../client.ts'
import type { AuthInfo } from '../envelope.ts'
import { grantedBy } from './login.ts'

export interface KubernetesLogin {
  /** With "auth/": "auth/kubernetes" (the default). */
  readonly mountPath?: string
  readonly role: string
  /** The service account's token, as it is in the file now: re-read it for each login. */
  readonly jwt: string
  readonly namespace?: string
  readonly wrapTtl?: string
  readonly signal?: AbortSignal
}

/** Vault's Kubernetes auth method: POST <mount>/login {role, jwt}. */
export async function loginKubernetes(client: VaultClient, login: KubernetesLogin): Promise<AuthInfo> {
  const path = `${(login.mountPath ?? 'auth/kubernetes').replace(/^\/+|\/+$/g, '')}/login`
  const response = await client.request({
    method: 'PUT',
    path,
    body: { role: login.role, jwt: login.jwt.trim() },
    token: '',
    ...(login.namespace !== undefined && { namespace: login.namespace }),
    ...(login.wrapTtl !== undefined && { wrapTtl: login.wrapTtl }),
    ...(login.signal && { signal: login.signal }),
  })
  return grantedBy(response.envelope, path)
}

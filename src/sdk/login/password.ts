import type { VaultClient } from '../client.ts'
import type { AuthInfo } from '../envelope.ts'
import { grantedBy } from './login.ts'

export interface PasswordLogin {
  /** With "auth/": "auth/userpass", "auth/ldap". */
  readonly mountPath: string
  readonly username: string
  readonly password: string
  readonly namespace?: string
  readonly wrapTtl?: string
  readonly signal?: AbortSignal
}

/** The methods that take a name and a password (userpass, ldap, radius, okta): POST <mount>/login/<name> {password}. */
export async function loginPassword(client: VaultClient, login: PasswordLogin): Promise<AuthInfo> {
  const { username, password, namespace, wrapTtl, signal } = login
  const mount = login.mountPath.replace(/^\/+|\/+$/g, '')
  const response = await client.request({
    method: 'PUT',
    path: `${mount}/login/${username}`,
    body: { password },
    token: '',
    ...(namespace !== undefined && { namespace }),
    ...(wrapTtl !== undefined && { wrapTtl }),
    ...(signal && { signal }),
  })
  return grantedBy(response.envelope, `${mount}/login`)
}

import type { VaultClient } from '../../../sdk/client.ts'
import type { AuthInfo } from '../../../sdk/envelope.ts'
import { loginKubernetes } from '../../../sdk/login/kubernetes.ts'
import type { StoreEnv } from '../provider.ts'
import { invalid, type KeySelector, type VaultSpec } from './spec.ts'

/** A token to work with; `auth` only when a login made it, so that it is ours to renew and revoke. */
export interface Credential {
  readonly token: string
  readonly auth?: AuthInfo
}

const tokenTtlSeconds = 600

/** Gets a credential anew: reads the Secret again, or logs in again. In ESO's order: none, token, kubernetes. */
export async function obtainCredential(
  spec: VaultSpec,
  env: StoreEnv,
  client: VaultClient,
  signal: AbortSignal,
): Promise<Credential> {
  const { auth } = spec
  if (!auth) return { token: '' }
  if (auth.tokenSecretRef) return { token: await secretText(env, auth.tokenSecretRef, 'token') }
  if (!auth.kubernetes) throw invalid('cannot initialize Vault client: no valid auth method specified')
  const { mountPath, role } = auth.kubernetes
  const granted = await loginKubernetes(client, {
    mountPath: mountPath.startsWith('auth/') ? mountPath : `auth/${mountPath}`,
    role,
    jwt: await serviceAccountJwt(auth.kubernetes, env),
    signal,
    ...(auth.namespace !== undefined && { namespace: auth.namespace }),
  })
  return { token: granted.client_token, auth: granted }
}

async function serviceAccountJwt(
  kubernetes: NonNullable<NonNullable<VaultSpec['auth']>['kubernetes']>,
  env: StoreEnv,
): Promise<string> {
  const { serviceAccountRef, secretRef } = kubernetes
  if (serviceAccountRef) {
    const { name, audiences } = serviceAccountRef
    return env.serviceAccountToken({ name, audiences, ttlSeconds: tokenTtlSeconds })
  }
  if (secretRef) return secretText(env, secretRef, 'token')
  const own = await env.ownToken()
  if (own === undefined) throw invalid('auth.kubernetes: set serviceAccountRef or secretRef (not running in a cluster)')
  return own
}

export async function secretText(env: StoreEnv, selector: KeySelector, defaultKey: string): Promise<string> {
  const ref = { name: selector.name, key: selector.key ?? defaultKey }
  const value = await env.secretValue(ref)
  if (value === undefined)
    throw invalid(`cannot find secret data for key: ${JSON.stringify(ref.key)} in Secret ${ref.name}`)
  return Buffer.from(value).toString('utf8').trim()
}

import { readFile } from 'node:fs/promises'
import type { VaultClient } from '../client.ts'
import type { AuthInfo } from '../envelope.ts'
import { loginKubernetes } from '../login/kubernetes.ts'
import { loginPassword } from '../login/password.ts'
import { loginToken } from '../login/token.ts'
import { ResponseError } from '../response-error.ts'

/** How a program gets its token; called again when the token has ended or was revoked. */
export interface Login {
  (client: VaultClient, signal: AbortSignal): Promise<AuthInfo>
  /** The token was there before: it is not revoked at the end. */
  readonly keeps?: boolean
}

/** A value, or what fetches it anew for each login. */
export type Source = string | (() => string | Promise<string>)

const serviceAccountToken = '/var/run/secrets/kubernetes.io/serviceaccount/token'

/** As the pod's service account. The token's file is read for each login: Kubernetes replaces it. */
export function kubernetesLogin(options: {
  readonly role: string
  /** Default "auth/kubernetes". */
  readonly mountPath?: string
  /** Default: where Kubernetes puts it. */
  readonly tokenFile?: string
  /** Instead of a file. */
  readonly jwt?: Source
}): Login {
  const { role, mountPath, tokenFile = serviceAccountToken, jwt = () => readFile(tokenFile, 'utf8') } = options
  return async (client, signal) =>
    loginKubernetes(client, { role, jwt: await fetched(jwt), signal, ...(mountPath !== undefined && { mountPath }) })
}

/** By name and password: userpass (the default), ldap, radius, okta. */
export function passwordLogin(options: {
  readonly username: string
  readonly password: Source
  /** Default "auth/userpass". */
  readonly mountPath?: string
}): Login {
  const { username, password, mountPath = 'auth/userpass' } = options
  return async (client, signal) =>
    loginPassword(client, { username, password: await fetched(password), mountPath, signal })
}

/** With a token at hand: it is asked about once, so that it can be renewed. */
export function tokenLogin(token: Source): Login {
  const login = async (client: VaultClient, signal: AbortSignal) => {
    const value = (await fetched(token)).trim()
    try {
      return await loginToken(client, value, signal)
    } catch (error) {
      // A policy may forbid looking at oneself; the token is good for the rest.
      if (error instanceof ResponseError && error.status === 403 && !error.tokenInvalid) return unknownLife(value)
      throw error
    }
  }
  return Object.assign(login, { keeps: true })
}

const fetched = async (source: Source): Promise<string> => (typeof source === 'string' ? source : source())

const unknownLife = (token: string): AuthInfo => ({
  client_token: token,
  accessor: '',
  policies: [],
  token_policies: [],
  identity_policies: [],
  metadata: null,
  lease_duration: 0,
  renewable: false,
  entity_id: '',
  token_type: '',
  orphan: false,
  num_uses: 0,
})

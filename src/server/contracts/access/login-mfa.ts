import type { JsonObject } from '../../../lib/json/value.ts'
import type { MountInfo } from '../request.ts'
import type { LoginGrant } from './auth.ts'

/** A login that an auth method has proved and whose entity is known. */
export interface ProvedLogin {
  readonly mount: MountInfo
  /** Of the request, below the namespace. */
  readonly path: string
  /** '' when the method names nobody. */
  readonly entityId: string
  readonly grant: LoginGrant
  /** Whose failures lockout counts, if it does. */
  readonly user?: string | undefined
  /** X-Vault-MFA, repeated ones joined by commas. */
  readonly header: string | undefined
}

/** What a login still has to show before it gets its token. */
export interface LoginMfa {
  /**
   * `requirement`: nothing was shown, and the login waits for sys/mfa/validate: Vault's `mfa_requirement`. Absent: nothing
   * is (or is any longer) required. Refusal 400 for a header that can't be read, 403 when what it shows is not enough.
   */
  atLogin(login: ProvedLogin): Promise<{ readonly requirement?: JsonObject; readonly warning?: string }>
}

/** A login that began with another request: what the token that it earns is made from. */
export interface BegunLogin {
  readonly mountUuid: string
  readonly path: string
  readonly entityId: string
  readonly user?: string | undefined
}

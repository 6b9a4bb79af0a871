import type { JsonObject } from '../../../lib/json/value.ts'
import type { Mounted } from '../mounted.ts'
import type { Call } from '../request.ts'

/** What a login earned. Only the pipeline turns it into a token. All times in ms; 0 = not set. */
export interface LoginGrant {
  readonly displayName: string
  readonly policies: readonly string[]
  readonly metadata: Readonly<Record<string, string>>
  readonly alias?: {
    readonly name: string
    readonly metadata: Readonly<Record<string, string>>
    /** External groups that the method vouches for. */
    readonly groups?: readonly string[]
  }
  readonly ttlMs: number
  readonly maxTtlMs: number
  readonly explicitMaxTtlMs: number
  readonly periodMs: number
  readonly numUses: number
  readonly renewable: boolean
  readonly noDefaultPolicy: boolean
  readonly boundCidrs: readonly string[]
  readonly tokenType: 'default' | 'service' | 'batch' | 'default-service' | 'default-batch'
  /** Kept with the token for `renew`; never shown. */
  readonly internal: JsonObject
}

/** Proves who is calling. */
export interface AuthMethod extends Mounted {
  /** Who would log in with this call, for lockout and role quotas; no effects. */
  identify?(call: Call): Promise<{ alias?: string; role?: string }>
  /** At each renewal: returns the grant with today's limits, or throws Refusal when the role is gone or changed. */
  renew?(grant: LoginGrant): Promise<LoginGrant>
}

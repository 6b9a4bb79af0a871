import type { VaultClient } from '../client.ts'
import type { AuthInfo, Envelope, MfaRequirement } from '../envelope.ts'

/** The server answered a login without a token: wrapped, or a second factor is asked for. */
export class LoginIncomplete extends Error {
  override name = 'LoginIncomplete'
  /** What it answered instead; a second factor is in `auth.mfa_requirement`. */
  readonly envelope: Envelope | undefined

  constructor(message: string, envelope?: Envelope) {
    super(message)
    this.envelope = envelope
  }
}

export function grantedBy(envelope: Envelope | undefined, path: string): AuthInfo {
  const auth = envelope?.auth
  if (auth?.client_token) return auth
  throw new LoginIncomplete(`the login at ${path} gave no token (wrapped, or a second factor is wanted)`, envelope)
}

/** Passcodes by the id or name of the method; '' for one that asks elsewhere (a push). */
export async function completeLogin(
  client: VaultClient,
  login: {
    readonly requirement: MfaRequirement
    readonly passcodes: Readonly<Record<string, string>>
    readonly signal?: AbortSignal
  },
): Promise<AuthInfo> {
  const path = 'sys/mfa/validate'
  const response = await client.request({
    method: 'PUT',
    path,
    body: {
      mfa_request_id: login.requirement.mfa_request_id,
      mfa_payload: Object.fromEntries(Object.entries(login.passcodes).map(([id, code]) => [id, code ? [code] : []])),
    },
    token: '',
    ...(login.signal && { signal: login.signal }),
  })
  return grantedBy(response.envelope, path)
}

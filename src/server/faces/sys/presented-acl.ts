/** What the token behind a call may do, for operations that also answer those who have none. */
import { type Call, Refusal } from '../../contracts/request.ts'
import type { CallerAcl, PresentedTokens } from '../../tokens/presented-tokens.ts'

/** Undefined: no token was sent. One that is not alive is refused (403), as elsewhere: its owner would take the answer for all there is. */
export function presentedAcl(presented: PresentedTokens, call: Call<unknown>): CallerAcl | undefined {
  const acl = presented.get(call)?.acl
  if (!acl && sentToken(call.headers) !== '') throw new Refusal(403, 'permission denied')
  return acl
}

/** As the HTTP layer reads it. */
export const sentToken = (headers: Call['headers']): string =>
  (headers['x-vault-token'] ?? /^bearer (.*)$/i.exec(headers['authorization'] ?? '')?.[1] ?? '').trim()

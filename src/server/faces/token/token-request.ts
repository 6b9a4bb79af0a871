/** What a request for a token is judged by. */
import type { Call } from '../../contracts/request.ts'
import type { LiveToken } from '../../tokens/live-token.ts'
import type { TokenRole } from '../../tokens/roles/token-role.ts'
import type { CreateInput } from './create-fields.ts'

export interface TokenRequest {
  readonly call: Call<CreateInput>
  readonly input: CreateInput
  readonly parent: LiveToken
  /** The caller may ask for what others may not: chosen ids, orphans, periods, any policies. */
  readonly sudo: boolean
  readonly type: 'service' | 'batch'
  readonly orphan: boolean
  /** Asked for from a namespace above the one where the token will count. */
  readonly foreign: boolean
  readonly role?: NamedRole
}

export interface NamedRole {
  readonly name: string
  readonly role: TokenRole
}

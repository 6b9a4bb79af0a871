/** From a bearer token to its user. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { aggregate } from '../field-problem.ts'
import type { TokenIssuer } from './token-issuer.ts'
import { adminUser, type User } from './user.ts'

export type Authentication =
  | { readonly user: User; readonly audiences: readonly string[] }
  /** Empty when the token is of no known kind. */
  | { readonly error: string }

export interface AuthenticatorOptions {
  readonly adminToken: string
  readonly tokens: TokenIssuer
}

export class Authenticator {
  readonly #adminDigest: Buffer
  readonly #tokens: TokenIssuer

  constructor(options: AuthenticatorOptions) {
    this.#adminDigest = digest(options.adminToken)
    this.#tokens = options.tokens
  }

  /** Of a request to this server. */
  fromHeader(authorization: string | undefined): User | undefined {
    const match = /^bearer ([^\s]+)$/i.exec(authorization ?? '')
    const found = match?.[1] ? this.check(match[1], [this.#tokens.issuer]) : undefined
    return found && 'user' in found ? found.user : undefined
  }

  /** As a TokenReview asks. */
  check(token: string, audiences: readonly string[]): Authentication {
    // The admin's token knows no audiences; the API server lets such tokens pass for any.
    if (timingSafeEqual(digest(token), this.#adminDigest)) return { user: adminUser, audiences }
    const verdict = this.#tokens.check(token, audiences)
    if (verdict.kind === 'valid') return verdict
    if (verdict.kind === 'refused') return { error: aggregate(['invalid bearer token', verdict.why]) }
    return { error: 'invalid bearer token' }
  }
}

const digest = (text: string) => createHash('sha256').update(text).digest()

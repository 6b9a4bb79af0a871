/**
 * From a bearer token to its user. There are no client certificates: users of the embedded cluster hold tokens.
 * Without any credentials one is system:anonymous at the paths below and nobody elsewhere, as on a server whose
 * AuthenticationConfiguration has these as conditions of `anonymous`.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { aggregate } from '../field-problem.ts'
import type { TokenIssuer } from './token-issuer.ts'
import { adminUser, anonymousUser, type User } from './user.ts'

export type Authentication =
  | { readonly user: User; readonly audiences: readonly string[] }
  /** Empty when the header holds no token. */
  | { readonly error: string }

export interface AuthenticatorOptions {
  readonly adminToken: string
  readonly tokens: TokenIssuer
}

/** They say nothing about what is in the cluster. */
const openPaths = ['/healthz', '/livez', '/readyz', '/version', '/version/']

export class Authenticator {
  readonly #adminDigest: Buffer
  readonly #tokens: TokenIssuer

  constructor(options: AuthenticatorOptions) {
    this.#adminDigest = digest(options.adminToken)
    this.#tokens = options.tokens
  }

  /** Who makes a request to this server; undefined: nobody it knows. */
  caller(authorization: string | undefined, path: string): User | undefined {
    const found = this.check(authorization ?? '', [this.#tokens.issuer])
    if ('user' in found) return found.user
    return found.error === '' && openPaths.includes(path) ? anonymousUser : undefined
  }

  /** `audiences`: whom the token must be for, one of them at least. */
  check(authorization: string, audiences: readonly string[]): Authentication {
    const [scheme = '', token = ''] = authorization.trim().split(' ')
    if (scheme.toLowerCase() !== 'bearer' || token === '') return { error: '' }
    if (timingSafeEqual(digest(token), this.#adminDigest)) return this.#admin(audiences)
    const verdict = this.#tokens.check(token, audiences)
    if (verdict.kind === 'valid') return verdict
    if (verdict.kind === 'refused') return { error: aggregate(['invalid bearer token', verdict.why]) }
    return { error: 'invalid bearer token' }
  }

  /** The admin's token is for the API server. */
  #admin(audiences: readonly string[]): Authentication {
    const shared = audiences.filter((audience) => audience === this.#tokens.issuer)
    return shared.length > 0 ? { user: adminUser, audiences: shared } : { error: 'invalid bearer token' }
  }
}

const digest = (text: string) => createHash('sha256').update(text).digest()

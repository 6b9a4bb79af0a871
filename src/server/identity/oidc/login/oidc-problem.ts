/** What the endpoints of the provider refuse with: `error` and `error_description` (RFC 6749, 4.1.2.1 and 5.2; RFC 6750, 3.1; OpenID Connect Core, 3.1.2.6). */
export class OidcProblem extends Error {
  override name = 'OidcProblem'
  readonly error: ProblemCode

  /** `description` is shown. */
  constructor(error: ProblemCode, description: string) {
    super(description)
    this.error = error
  }
}

/** The last three are Vault's own, which its console knows. */
export type ProblemCode =
  | 'invalid_request'
  | 'invalid_client'
  | 'invalid_grant'
  | 'invalid_token'
  | 'unauthorized_client'
  | 'unsupported_grant_type'
  | 'unsupported_response_type'
  | 'access_denied'
  | 'server_error'
  | 'request_not_supported'
  | 'request_uri_not_supported'
  | 'invalid_client_id'
  | 'invalid_redirect_uri'
  | 'max_age_violation'

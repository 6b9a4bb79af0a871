import type { VaultResponse } from './client.ts'

/** The server said no. `message` is the text that Vault's own client prints; `errors` are the server's words. */
export class ResponseError extends Error {
  override name = 'ResponseError'
  readonly status: number
  readonly errors: readonly string[]
  readonly warnings: readonly string[]
  readonly method: string
  readonly url: string
  readonly response: VaultResponse

  constructor(details: {
    method: string
    url: string
    namespace: string
    errors: readonly string[]
    warnings: readonly string[]
    /** The body was not Vault's error document: `errors` holds it as it came. */
    raw: boolean
    response: VaultResponse
  }) {
    super(describe(details))
    this.status = details.response.status
    this.errors = details.errors
    this.warnings = details.warnings
    this.method = details.method
    this.url = details.url
    this.response = details.response
  }

  /**
   * The token is unknown, expired or revoked, whatever the path. The wire has no code for it: a refusal by policy
   * says "1 error occurred: ...", a bad token the bare words (Vault adds "invalid token" from 1.17 on).
   */
  get tokenInvalid(): boolean {
    if (this.status !== 403) return false
    return this.errors.some((line) => line.includes('invalid token') || line.trim() === 'permission denied')
  }
}

function describe(details: ConstructorParameters<typeof ResponseError>[0]): string {
  const { method, url, namespace, errors, raw, response } = details
  const where = namespace ? `Namespace: ${namespace}\nURL: ${method} ${url}` : `URL: ${method} ${url}`
  const words = raw ? errors.join('\n') : errors.map((line) => `* ${line}`).join('\n')
  return `Error making API request.\n\n${where}\nCode: ${response.status}. ${raw ? 'Raw Message' : 'Errors'}:\n\n${words}`
}

/** One exchange with the API server, with or without a socket below it. */

/** Name, in lower case, and value. */
export type HeaderLine = readonly [string, string]

export interface ApiRequest {
  readonly method: string
  /** Percent-encoded, without the query. */
  readonly path: string
  readonly query: URLSearchParams
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>
  /** One by one, where a header that comes several times matters; `headers` has them joined. */
  readonly headerLines?: readonly HeaderLine[]
  readonly body?: string
  /** The body as it came, in the place of `body`, when its media type is not text. */
  readonly bytes?: Uint8Array
  /** Ends watches and streams. */
  readonly signal?: AbortSignal
}

export interface ApiResponse {
  readonly status: number
  /** Names in lower case; several values are several header lines. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  readonly body: string | AsyncIterable<string>
}

/** The server's own default for a request body (k8s.io/apiserver MaxRequestBodyBytes). */
export const maxBodyBytes = 3 * 1024 * 1024

export function jsonResponse(
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string | readonly string[]>> = {},
): ApiResponse {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) }
}

export function textResponse(status: number, body: string): ApiResponse {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8' }, body }
}

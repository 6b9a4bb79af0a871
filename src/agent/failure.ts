import { ResponseError } from '../sdk/response-error.ts'
import { TransportError } from '../sdk/transport.ts'

/** The agent cannot go on: it ends with status 1 and these words. */
export class AgentFailure extends Error {
  override name = 'AgentFailure'
}

/**
 * outage: no answer, or one that says nothing about the request (5xx, sealed): what is there stays and counts as stale.
 * token: the token is no longer valid. busy: ask again later. refused: the server's answer to exactly this request.
 */
export type FailureKind = 'outage' | 'token' | 'busy' | 'refused'

export function kindOf(error: unknown): FailureKind {
  if (error instanceof TransportError) return 'outage'
  if (!(error instanceof ResponseError)) return 'refused'
  if (error.status >= 500) return 'outage'
  if (error.status === 429 || error.status === 412) return 'busy'
  if (error.tokenInvalid) return 'token'
  return 'refused'
}

/** In one line, without what could be long. The server's words hold no values; a body that is no error document is left out. */
export function describe(error: unknown): string {
  if (error instanceof ResponseError) {
    const words = error.errors.join('; ').replace(/\s+/g, ' ').trim().slice(0, 300)
    const said = error.response.document === undefined ? '' : words
    return said ? `${error.status} ${said}` : `status ${error.status}`
  }
  if (error instanceof Error) return error.message.split('\n')[0] ?? error.name
  return 'unknown error'
}

/** What one listener asks of its requests before the server's handler sees them, and adds to their answers. */
import { Refusal } from '../contracts/request.ts'
import { type CorsRules, corsOf } from './cors.ts'
import { type CustomHeaders, customHeadersFor } from './custom-headers.ts'
import type { HttpAnswer } from './envelope.ts'
import { clientAddress, type ForwardedForRules } from './forwarded-for.ts'
import { type Handler, type HttpRequest, plain } from './handler.ts'
import { parseTarget } from './target.ts'

export interface GuardOptions {
  readonly customHeaders?: CustomHeaders
  /** Requests without `X-Vault-Request: true` are refused: what a page can make a browser send has no such header. */
  readonly requireRequestHeader: boolean
  readonly forwardedFor?: ForwardedForRules
  /** This listener's own rules or the server's, as of now. */
  readonly cors: () => CorsRules | undefined
  /** On every answer, e.g. X-Vault-Hostname. */
  readonly headers?: Readonly<Record<string, string>>
  /** Answers itself what this listener shows to everyone (metrics); undefined: the handler does. */
  readonly before?: (request: HttpRequest, path: string) => Promise<HttpAnswer> | undefined
}

/** Where a listener asks for nothing the handler answers directly: cross-origin rules cost a look at one member. */
export function guard(handler: Handler, options: GuardOptions): Handler {
  const { customHeaders, forwardedFor, headers, before, requireRequestHeader } = options
  const whole: Handler = async (request) => {
    const cors = options.cors()
    const found = cors && corsOf(cors, corsPart(request))
    const answer = found && 'answer' in found ? found.answer : await guarded(handler, options, request)
    return withHeaders(options, answer, found && 'headers' in found ? found.headers : undefined)
  }
  if (customHeaders || forwardedFor || headers || before || requireRequestHeader) return whole
  return (request) => (options.cors() ? whole(request) : handler(request))
}

async function guarded(handler: Handler, options: GuardOptions, request: HttpRequest): Promise<HttpAnswer> {
  try {
    const own = options.before?.(request, pathOf(request.target))
    if (own) return await own
    if (options.requireRequestHeader && headersOf(request, 'x-vault-request')[0] !== 'true') {
      throw new Refusal(412, 'missing "X-Vault-Request" header')
    }
    const { forwardedFor } = options
    if (!forwardedFor) return await handler(request)
    const address = clientAddress(forwardedFor, request.remote.address, headersOf(request, 'x-forwarded-for'))
    return await handler({ ...request, remote: { ...request.remote, address } })
  } catch (error) {
    if (error instanceof Refusal) return plain(error.status, error.errors)
    throw error
  }
}

function withHeaders(
  { customHeaders, headers }: GuardOptions,
  answer: HttpAnswer,
  cors: Readonly<Record<string, string>> | undefined,
): HttpAnswer {
  if (!customHeaders && !headers && !cors) return answer
  const custom = customHeaders ? customHeadersFor(customHeaders, answer.status) : {}
  return { ...answer, headers: { ...custom, ...headers, ...answer.headers, ...cors } }
}

const corsPart = (request: HttpRequest) => ({
  method: request.method,
  origin: headersOf(request, 'origin')[0],
  requested: headersOf(request, 'access-control-request-method')[0],
})

function headersOf({ rawHeaders }: HttpRequest, name: string): string[] {
  const values: string[] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.toLowerCase() === name) values.push(rawHeaders[i + 1] ?? '')
  }
  return values
}

/** Decoded as the handler decodes it, so that no path has another spelling; what cannot be decoded the handler refuses. */
function pathOf(target: string): string {
  const path = target.split('?', 1)[0] ?? ''
  if (!path.includes('%')) return path
  try {
    return parseTarget(path).path
  } catch (error) {
    if (error instanceof Refusal) return path
    throw error
  }
}

import type { KubeRequest, KubeResponse, KubeTransport } from './transport.ts'

/** A request as a server in this process takes it. */
export interface InProcessRequest {
  readonly method: string
  /** Percent-encoded, without the query. */
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body?: string
  readonly signal?: AbortSignal
}
export interface InProcessResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: string | Uint8Array | AsyncIterable<string | Uint8Array>
}

/** An API server that is a function: no sockets. `headers` go with each request, such as a bearer token. */
export function inProcessTransport(
  handle: (request: InProcessRequest) => Promise<InProcessResponse>,
  headers: Readonly<Record<string, string>> = {},
): KubeTransport {
  return {
    async send(request: KubeRequest): Promise<KubeResponse> {
      request.signal?.throwIfAborted()
      const at = request.path.indexOf('?')
      const answer = await handle({
        method: request.method,
        path: at < 0 ? request.path : request.path.slice(0, at),
        query: new URLSearchParams(at < 0 ? '' : request.path.slice(at + 1)),
        headers: { ...request.headers, ...headers },
        ...(request.body === undefined ? {} : { body: request.body }),
        ...(request.signal ? { signal: request.signal } : {}),
      })
      return { status: answer.status, headers: singles(answer.headers), body: chunks(answer.body) }
    },
  }
}

async function* chunks(body: InProcessResponse['body']): AsyncGenerator<Uint8Array, void, undefined> {
  if (typeof body === 'string' || body instanceof Uint8Array) {
    yield Buffer.from(body)
    return
  }
  for await (const part of body) yield typeof part === 'string' ? Buffer.from(part) : part
}

function singles(headers: InProcessResponse['headers']): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, typeof value === 'string' ? value : value?.join(', ')]),
  )
}

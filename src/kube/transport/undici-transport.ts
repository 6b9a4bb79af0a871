import type { Agent, Dispatcher } from 'undici'
import type { CredentialSource, Identity } from '../credentials/credential-source.ts'
import type { KubeRequest, KubeResponse, KubeTransport } from './transport.ts'
import { Unreachable } from './transport.ts'

export interface UndiciTransportOptions {
  /** "https://127.0.0.1:6443"; a path, as behind a proxy, is kept. */
  readonly server: string
  /** Absent: the system's authorities. */
  readonly caPem?: string
  /** The name to verify, when it isn't the host of `server`. */
  readonly serverName?: string
  readonly credentials: CredentialSource
}

const headersTimeoutMs = 70_000

/** Keep-alive connections to one API server. undici is loaded by the first request: what only imports this stays small. */
export function createUndiciTransport(options: UndiciTransportOptions): KubeTransport {
  const server = new URL(options.server)
  const prefix = server.pathname.replace(/\/+$/, '')
  const agents = new AgentHolder(options)

  const once = async (request: KubeRequest, identity: Identity): Promise<KubeResponse> => {
    const { request: send } = await import('undici')
    let answer: Dispatcher.ResponseData
    try {
      answer = await send(server.origin + prefix + request.path, {
        dispatcher: await agents.agent(identity),
        method: request.method as Dispatcher.HttpMethod,
        headers: { ...request.headers, ...identity.headers },
        body: request.body ?? null,
        signal: request.signal,
        headersTimeout: headersTimeoutMs,
        // A watch is silent for as long as nothing happens; watch.ts has its own watchdog.
        bodyTimeout: 0,
      })
    } catch (error) {
      request.signal?.throwIfAborted()
      throw unreachable(server.origin, error)
    }
    return {
      status: answer.statusCode,
      headers: flatten(answer.headers),
      body: whole(answer.body, server.origin, request),
    }
  }

  return {
    async send(request) {
      const identity = await options.credentials.current(request.signal)
      const response = await once(request, identity)
      if (response.status !== 401 || !options.credentials.refused(identity)) return response
      for await (const _ of response.body) {
        // Read to its end so that the connection can be used again.
      }
      return once(request, await options.credentials.current(request.signal))
    },
    close: () => agents.close(),
  }
}

/** One undici Agent per client certificate: a renewed one needs new connections. */
class AgentHolder {
  readonly #options: UndiciTransportOptions
  #held: { certPem: string | undefined; agent: Agent } | undefined

  constructor(options: UndiciTransportOptions) {
    this.#options = options
  }

  async agent(identity: Identity): Promise<Agent> {
    const { Agent } = await import('undici')
    if (this.#held && this.#held.certPem === identity.certPem) return this.#held.agent
    const { caPem, serverName } = this.#options
    const before = this.#held?.agent
    const agent = new Agent({
      // Watches hold a connection each, so their number has no limit; requests reuse idle ones.
      keepAliveTimeout: 30_000,
      pipelining: 1,
      connect: {
        timeout: 10_000,
        ...(caPem ? { ca: caPem } : {}),
        ...(serverName ? { servername: serverName } : {}),
        ...(identity.certPem && identity.keyPem ? { cert: identity.certPem, key: identity.keyPem } : {}),
      },
    })
    this.#held = { certPem: identity.certPem, agent }
    // Its open watches go on until they end by themselves.
    before?.close().catch(() => {})
    return agent
  }

  async close(): Promise<void> {
    const agent = this.#held?.agent
    this.#held = undefined
    await agent?.destroy()
  }
}

async function* whole(body: AsyncIterable<Uint8Array>, origin: string, request: KubeRequest) {
  try {
    yield* body
  } catch (error) {
    request.signal?.throwIfAborted()
    throw unreachable(origin, error)
  }
}

function unreachable(origin: string, error: unknown): Unreachable {
  const detail = error instanceof Error ? error.message || ('code' in error ? String(error.code) : error.name) : ''
  return new Unreachable(`no answer from the Kubernetes API at ${origin}: ${detail}`, { cause: error })
}

function flatten(headers: Record<string, string | string[] | undefined>): Record<string, string | undefined> {
  const out: Record<string, string | undefined> = {}
  for (const [name, value] of Object.entries(headers)) out[name] = Array.isArray(value) ? value.join(', ') : value
  return out
}

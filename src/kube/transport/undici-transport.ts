import type { Dispatcher } from 'undici'
import { orAborted } from '../../lib/until-aborted.ts'
import type { CredentialSource, Identity, TrustSource } from '../credentials/credential-source.ts'
import { bodyPieces } from './body-pieces.ts'
import { PoolHolder } from './pool-holder.ts'
import type { KubeRequest, KubeResponse, KubeTransport } from './transport.ts'
import { Unreachable } from './transport.ts'

export interface UndiciTransportOptions {
  /** "https://127.0.0.1:6443"; a path, as behind a proxy, is kept. */
  readonly server: string
  /** Absent: the system's authorities. */
  readonly caPem?: string
  /** Goes before `caPem`. */
  readonly trust?: TrustSource
  /** The name to verify, when it isn't the host of `server`. */
  readonly serverName?: string
  readonly credentials: CredentialSource
  readonly connectMs: number
}

/**
 * Keep-alive connections to one API server. undici is loaded by the first request: what only imports this stays small. It
 * sets no limit of time but the one for connecting: whoever sends has a signal.
 */
export function createUndiciTransport(options: UndiciTransportOptions): KubeTransport {
  const { origin, pathname } = new URL(options.server)
  const prefix = pathname.replace(/\/+$/, '')
  const pools = new PoolHolder({ ...options, origin })
  const { credentials, trust } = options
  let undici: typeof import('undici') | undefined

  const once = async (request: KubeRequest, identity: Identity): Promise<KubeResponse> => {
    undici ??= await import('undici')
    const caPem = trust ? await raced(trust.current(), request.signal) : options.caPem
    const pool = pools.pool(undici, identity, caPem)
    if (!pool) throw new Unreachable('the Kubernetes client is closed', { notSent: true })
    let answer: Dispatcher.ResponseData
    try {
      answer = await pool.request({
        path: prefix + request.path,
        method: request.method as Dispatcher.HttpMethod,
        headers: { ...request.headers, ...identity.headers },
        body: request.body ?? null,
        signal: request.signal,
        headersTimeout: 0,
        bodyTimeout: 0,
      })
    } catch (error) {
      request.signal?.throwIfAborted()
      const notSent = pools.neverConnected(error)
      if (notSent) trust?.doubted()
      throw unreachable(origin, error, notSent)
    }
    const { signal } = request
    const failed = (error: unknown) => (signal?.aborted ? signal.reason : unreachable(origin, error, false))
    return {
      status: answer.statusCode,
      headers: flatten(answer.headers),
      body: bodyPieces(answer.body, failed),
    }
  }

  return {
    async send(request) {
      const identity = await raced(credentials.current(request.signal), request.signal)
      const response = await once(request, identity)
      if (response.status !== 401 || !credentials.refused(identity)) return response
      const next = await raced(credentials.current(request.signal), request.signal)
      // The same again would be refused again.
      if (isSame(identity, next)) return response
      for await (const _ of response.body) {
        // Read to its end so that the connection can be used again.
      }
      return once(request, next)
    },
    async close() {
      credentials.close?.()
      await pools.close()
    },
  }
}

/** Ends with the signal, even when the work doesn't: an exec plugin may hang. */
async function raced<T>(work: T | Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal || !(work instanceof Promise)) return work
  return orAborted(() => work, signal)
}

const isSame = (a: Identity, b: Identity) =>
  a.headers['authorization'] === b.headers['authorization'] && a.certPem === b.certPem && a.keyPem === b.keyPem

function unreachable(origin: string, error: unknown, notSent: boolean): Unreachable {
  const detail = error instanceof Error ? error.message || ('code' in error ? String(error.code) : error.name) : ''
  return new Unreachable(`no answer from the Kubernetes API at ${origin}: ${detail}`, { cause: error, notSent })
}

function flatten(headers: Record<string, string | string[] | undefined>): Record<string, string | undefined> {
  const out: Record<string, string | undefined> = {}
  for (const [name, value] of Object.entries(headers)) out[name] = Array.isArray(value) ? value.join(', ') : value
  return out
}

/** The only dialer of the server and the controller: for requests whose target somebody else has chosen. */
import { lookup as systemLookup } from 'node:dns'
import http from 'node:http'
import https from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { type Clock, systemClock } from '../clock.ts'
import { AddressPolicy, type AddressPolicyOptions } from './address-policy.ts'

export interface OutboundOptions extends AddressPolicyOptions {
  /** All addresses of a host. */
  readonly dnsLookup?: (host: string) => Promise<readonly ResolvedAddress[]>
  readonly clock?: Clock
}
export interface ResolvedAddress {
  readonly address: string
  readonly family: number
}

export interface OutboundCall {
  /** http or https, without credentials. */
  readonly url: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** PEM; when given, only these roots count. */
  readonly ca?: string
  /** For everything together. Default 10 s. */
  readonly timeoutMs?: number
  /** Of the answer's body. Default 1 MiB. */
  readonly maxBytes?: number
  readonly signal?: AbortSignal
}
export interface OutboundAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: string
}

/** No answer was got. The message names host and reason, never headers or bodies. */
export class OutboundError extends Error {
  override name = 'OutboundError'
  readonly kind: 'refused' | 'unreachable' | 'timeout' | 'too-large' | 'redirect'

  constructor(kind: OutboundError['kind'], message: string, cause?: unknown) {
    super(message, { cause })
    this.kind = kind
  }
}

export interface Dialer {
  /** Throws OutboundError. Redirects are followed within the same origin only, and only for GET and HEAD. */
  request(call: OutboundCall): Promise<OutboundAnswer>
  close(): void
}

const defaults = { timeoutMs: 10_000, maxBytes: 1024 * 1024 }
const maxRedirects = 3
const keepAlive = { keepAlive: true, maxSockets: 64, maxFreeSockets: 8, timeout: 30_000 }

/** Dials whom the policy permits; close it at the end. */
export function createOutbound(options: OutboundOptions = {}): Dialer {
  return new HttpDialer(options)
}

/**
 * Connects to the very address that it has resolved and judged, so a name can't lead elsewhere between check and use. Refused
 * unless allowed: loopback, link-local, metadata, unspecified, multicast, reserved addresses and the server's own listeners.
 */
class HttpDialer implements Dialer {
  readonly #policy: AddressPolicy
  readonly #clock: Clock
  readonly #lookup: (host: string) => Promise<readonly ResolvedAddress[]>
  readonly #http = new http.Agent(keepAlive)
  readonly #https = new https.Agent(keepAlive)

  constructor(options: OutboundOptions) {
    this.#policy = new AddressPolicy(options)
    this.#clock = options.clock ?? systemClock
    this.#lookup = options.dnsLookup ?? resolveAll
  }

  async request(call: OutboundCall): Promise<OutboundAnswer> {
    const limit = limitTime(call, this.#clock)
    try {
      return await this.#follow(call, limit.signal)
    } catch (error) {
      if (error instanceof OutboundError) throw error
      if (limit.expired()) throw new OutboundError('timeout', `no answer from ${hostOf(call.url)} in time`, error)
      call.signal?.throwIfAborted()
      throw new OutboundError('unreachable', `${hostOf(call.url)} cannot be reached: ${reasonOf(error)}`, error)
    } finally {
      limit.cancel()
    }
  }

  async #follow(call: OutboundCall, signal: AbortSignal): Promise<OutboundAnswer> {
    let url = parseTarget(call.url)
    for (let redirects = 0; ; redirects += 1) {
      const answer = await this.#once(url, call, signal)
      const next = redirectOf(url, answer, call.method ?? 'GET')
      if (!next) return answer
      if (redirects === maxRedirects) throw new OutboundError('redirect', `${url.host} redirects too often`)
      url = next
    }
  }

  async #once(url: URL, call: OutboundCall, signal: AbortSignal): Promise<OutboundAnswer> {
    try {
      return await this.#send(url, call, signal)
    } catch (error) {
      // A kept connection that the other side has closed meanwhile. What must not happen twice is not sent twice.
      const again = error instanceof StaleConnection && call.method !== 'POST' && call.method !== 'PATCH'
      if (again) return this.#send(url, call, signal)
      throw error
    }
  }

  async #send(url: URL, call: OutboundCall, signal: AbortSignal): Promise<OutboundAnswer> {
    const request = this.#open(url, call, signal)
    return new Promise((resolve, reject) => {
      request.on('error', (error: NodeJS.ErrnoException) => {
        const stale = request.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE')
        reject(stale ? new StaleConnection() : error)
      })
      request.on('response', (response) => {
        readAnswer(response, call.maxBytes ?? defaults.maxBytes).then(resolve, (error) => {
          request.destroy()
          reject(error)
        })
      })
      request.end(call.body)
    })
  }

  #open(url: URL, call: OutboundCall, signal: AbortSignal): http.ClientRequest {
    const host = url.hostname.replace(/^\[|\]$/g, '')
    const secure = url.protocol === 'https:'
    const port = Number(url.port || (secure ? 443 : 80))
    // Sockets look up names only, so an address is judged here.
    const refusal = isIP(host) ? this.#policy.refusal({ host, port, address: host }) : undefined
    if (refusal) throw refused(refusal)
    return (secure ? https : http).request({
      agent: secure ? this.#https : this.#http,
      host,
      port,
      path: url.pathname + url.search,
      method: call.method ?? 'GET',
      headers: { ...call.headers, ...(call.body !== undefined && { 'content-length': Buffer.byteLength(call.body) }) },
      lookup: judgedLookup(this.#policy, this.#lookup, port),
      signal,
      ...(secure && { ca: call.ca, servername: isIP(host) ? '' : host }),
    })
  }

  close(): void {
    this.#http.destroy()
    this.#https.destroy()
  }
}

class StaleConnection extends Error {
  override name = 'StaleConnection'
  readonly code = 'ECONNRESET'
}

function refused(why: string): OutboundError {
  return new OutboundError('refused', `${why}, which this server does not dial unless its configuration allows it`)
}

function parseTarget(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    throw new OutboundError('refused', 'the address is not an http or https URL')
  }
  if (url.username !== '' || url.password !== '')
    throw new OutboundError('refused', 'the URL must not carry credentials')
  return url
}

function hostOf(text: string): string {
  return URL.canParse(text) ? new URL(text).host : 'the host'
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown reason'
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message
}

/** Ends with the caller's signal or after the time that everything may take. */
function limitTime(call: OutboundCall, clock: Clock) {
  const timer = new AbortController()
  let expired = false
  const cancel = clock.after(call.timeoutMs ?? defaults.timeoutMs, () => {
    expired = true
    timer.abort()
  })
  const signal = call.signal ? AbortSignal.any([call.signal, timer.signal]) : timer.signal
  return { signal, cancel, expired: () => expired }
}

/** Resolves a name and hands only permitted addresses to the socket. */
function judgedLookup(
  policy: AddressPolicy,
  lookup: (host: string) => Promise<readonly ResolvedAddress[]>,
  port: number,
): LookupFunction {
  return (host, options, callback) => {
    lookup(host).then(
      (found) => {
        const refusals: string[] = []
        const permitted = found.filter(({ address }) => {
          const refusal = policy.refusal({ host, port, address })
          if (refusal) refusals.push(refusal)
          return !refusal
        })
        const [first] = permitted
        if (!first)
          callback(refused(`${host} leads nowhere else than to this: ${refusals.join(', ') || 'no address'}`), '')
        else if (options.all) callback(null, [...permitted])
        else callback(null, first.address, first.family)
      },
      (error: NodeJS.ErrnoException) => callback(error, ''),
    )
  }
}

function resolveAll(host: string): Promise<readonly ResolvedAddress[]> {
  return new Promise((resolve, reject) => {
    systemLookup(host, { all: true }, (error, addresses) => (error ? reject(error) : resolve(addresses)))
  })
}

async function readAnswer(response: http.IncomingMessage, maxBytes: number): Promise<OutboundAnswer> {
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of response as AsyncIterable<Buffer>) {
    size += piece.length
    if (size > maxBytes) throw new OutboundError('too-large', `the answer is larger than ${maxBytes} bytes`)
    pieces.push(piece)
  }
  const headers: Record<string, string | undefined> = {}
  for (const [name, value] of Object.entries(response.headers))
    headers[name] = Array.isArray(value) ? value.join(', ') : value
  return { status: response.statusCode ?? 0, headers, body: Buffer.concat(pieces).toString('utf8') }
}

function redirectOf(from: URL, answer: OutboundAnswer, method: string): URL | undefined {
  const location = answer.headers['location']
  if (![301, 302, 303, 307, 308].includes(answer.status) || location === undefined) return undefined
  const to = URL.canParse(location, from.href) ? new URL(location, from.href) : undefined
  if (!to || to.origin !== from.origin) throw new OutboundError('redirect', `${from.host} redirects to another host`)
  return method === 'GET' || method === 'HEAD' ? to : undefined
}

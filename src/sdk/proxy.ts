import http from 'node:http'
import https from 'node:https'
import { isIP } from 'node:net'
import { type Duplex, PassThrough } from 'node:stream'
import tls from 'node:tls'
import { TransportError } from './transport.ts'

/** What stands between the client and the server: "http://user:pass@proxy:3128". */
export function parseProxy(address: string): URL {
  const url = URL.canParse(address) ? new URL(address) : undefined
  // The address may hold a password: it is not repeated.
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new TransportError('the address of the proxy is none: write http://host:port or https://host:port', {
      sent: false,
    })
  }
  return url
}

export interface TunnelOptions {
  readonly proxy: URL
  readonly host: string
  readonly port: number | string
  /** Absent: plain bytes through the tunnel. */
  readonly tls?: tls.ConnectionOptions
  readonly timeoutMs: number
  readonly signal?: AbortSignal
}

/** A connection to the server through the proxy, by CONNECT; for `createConnection` of node:http. */
export function openTunnel(options: TunnelOptions, done: (error: Error | null, socket: Duplex) => void): void {
  const { proxy, host, port, signal } = options
  const authority = `${isIP(host) === 6 ? `[${host}]` : host}:${port}`
  const asked = (proxy.protocol === 'https:' ? https : http).request({
    ...proxyEndpoint(proxy),
    agent: false,
    method: 'CONNECT',
    path: authority,
    headers: { Host: authority, ...proxyAuthorization(proxy) },
    ...(signal && { signal }),
  })
  asked.setTimeout(options.timeoutMs, () => asked.destroy(new Error('timed out')))
  asked.once('error', (cause) => {
    // Node takes the error and leaves the socket alone.
    done(new Error(`proxy ${proxy.host}: ${cause.message}`, { cause }), new PassThrough())
  })
  asked.once('connect', (response, socket) => {
    if (response.statusCode !== 200) {
      socket.destroy()
      done(new Error(`proxy ${proxy.host}: it answered ${response.statusCode} to CONNECT`), socket)
      return
    }
    socket.setTimeout(0)
    done(null, options.tls ? tls.connect({ ...withName(options.tls, host), socket }) : socket)
  })
  asked.end()
}

export const proxyEndpoint = (proxy: URL) => ({
  host: proxy.hostname.replace(/^\[(.*)\]$/, '$1'),
  port: proxy.port || (proxy.protocol === 'https:' ? 443 : 80),
})

export function proxyAuthorization(proxy: URL): Record<string, string> {
  if (proxy.username === '') return {}
  const pair = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`
  return { 'Proxy-Authorization': `Basic ${Buffer.from(pair).toString('base64')}` }
}

const withName = (given: tls.ConnectionOptions, host: string): tls.ConnectionOptions => ({
  host,
  ...(isIP(host) === 0 && { servername: host }),
  ...given,
})

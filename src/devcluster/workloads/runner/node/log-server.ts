/** The kubelet's /containerLogs, for whom the API server allows it: mutual TLS, then a question to the API server. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { TLSSocket } from 'node:tls'
import type { ContainerLog } from '../containers/container-log.ts'
import type { Caller } from './log-callers.ts'

export interface LogServerOptions {
  readonly certificate: { readonly certPem: string; readonly keyPem: string }
  /** Who signs the API server's client certificate. */
  readonly clientCaPem: string
  readonly host: string
  /** Whether this owner of a good certificate may read logs; throws when that can't be found out. */
  readonly mayRead: (caller: Caller) => Promise<boolean>
  readonly find: (ref: LogRef) => ContainerLog | 'no pod' | 'no container' | 'not started'
}
export interface LogRef {
  readonly namespace: string
  readonly pod: string
  readonly container: string
  readonly previous: boolean
}
export interface LogServer {
  readonly port: number
  close(): Promise<void>
}

export async function startLogServer(options: LogServerOptions): Promise<LogServer> {
  const { certPem: cert, keyPem: key } = options.certificate
  const tls = { cert, key, ca: options.clientCaPem, requestCert: true, rejectUnauthorized: true }
  const server = createServer(tls, (request, response) => {
    serve(options, request, response).catch(() => response.destroy())
  })
  await listen(server, options.host)
  const address = server.address()
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function listen(server: Server, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, host, resolve)
  })
}

async function serve(options: LogServerOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const refuse = (status: number, text: string) => {
    response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' })
    response.end(`${text}\n`)
  }
  const caller = callerOf(request.socket as TLSSocket)
  if (!caller) return refuse(401, 'Unauthorized')
  const allowed = await options.mayRead(caller).catch((error: unknown) => String(error))
  if (typeof allowed === 'string') return refuse(500, `Authorization error (user=${caller.name}): ${allowed}`)
  if (!allowed) return refuse(403, `Forbidden (user=${caller.name}, verb=get, resource=nodes, subresource(s)=[proxy])`)
  const url = new URL(request.url ?? '/', 'https://node')
  const [, root, ...steps] = url.pathname.split('/')
  const [namespace, pod, container] = steps.map(decodeURIComponent)
  if (root !== 'containerLogs' || !namespace || !pod || !container || steps.length !== 3) {
    return refuse(404, '404 page not found')
  }
  const wanted = readOptions(url.searchParams)
  if (typeof wanted === 'string') return refuse(400, wanted)
  const log = options.find({ namespace, pod, container, previous: wanted.previous })
  if (log === 'no pod') return refuse(404, `pod "${pod}" not found`)
  if (log === 'no container') return refuse(404, `container "${container}" not found in pod "${pod}"`)
  if (log === 'not started') {
    const which = wanted.previous ? `previous terminated container "${container}"` : `container "${container}"`
    return refuse(400, `${which} in pod "${pod}" ${wanted.previous ? 'not found' : 'is waiting to start'}`)
  }
  await send(log, wanted, response)
}

interface Wanted {
  readonly follow: boolean
  readonly previous: boolean
  readonly tailLines?: number
  readonly limitBytes?: number
}

/** A text is the reason of a refusal. */
function readOptions(query: URLSearchParams): Wanted | string {
  // Lines are kept as they came, so there are no times to choose by or to show.
  for (const name of ['sinceSeconds', 'sinceTime'])
    if (query.get(name)) return `the pod runner does not support ${name}`
  if (isTrue(query.get('timestamps'))) return 'the pod runner does not support timestamps'
  const stream = query.get('stream')
  if (stream && stream !== 'All') return 'the pod runner does not keep stdout and stderr apart'
  const numbers: { tailLines?: number; limitBytes?: number } = {}
  for (const name of ['tailLines', 'limitBytes'] as const) {
    const text = query.get(name)
    if (text === null || text === '') continue
    if (!/^\d{1,15}$/.test(text)) return `invalid ${name}: ${text}`
    numbers[name] = Number(text)
  }
  return { follow: isTrue(query.get('follow')), previous: isTrue(query.get('previous')), ...numbers }
}

const isTrue = (text: string | null) => text === 'true' || text === '1'

async function send(log: ContainerLog, wanted: Wanted, response: ServerResponse): Promise<void> {
  const gone = new AbortController()
  response.on('close', () => gone.abort(new Error('the reader went away')))
  response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' })
  // Sent at once, so that a follower of a silent container knows that it is connected.
  response.flushHeaders()
  let left = wanted.limitBytes ?? Number.POSITIVE_INFINITY
  for await (const chunk of log.read({ ...wanted, signal: gone.signal })) {
    const part = chunk.subarray(0, left)
    left -= part.byteLength
    if (!response.write(part)) await drained(response)
    if (left <= 0) break
  }
  response.end()
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done)
      response.off('close', done)
      resolve()
    }
    response.once('drain', done)
    response.once('close', done)
  })
}

/** Of the client certificate, as API servers read it: the common name is the user, organisations are groups. */
function callerOf(socket: TLSSocket): Caller | undefined {
  if (!socket.authorized) return undefined
  const subject: { CN?: unknown; O?: unknown } = socket.getPeerCertificate().subject ?? {}
  const organizations = [subject.O].flat().filter((name) => typeof name === 'string')
  return typeof subject.CN === 'string' && subject.CN !== '' ? { name: subject.CN, organizations } : undefined
}

/** Puts an ApiServer on an HTTPS socket of this machine. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { ApiServer } from './api-server.ts'
import { protobufType } from './protobuf/request-body.ts'
import { badRequest, StatusError, tooLarge } from './status.ts'
import { type ApiResponse, type HeaderLine, jsonResponse, maxBodyBytes } from './wire.ts'

export interface ListenerOptions {
  readonly server: ApiServer
  readonly certPem: string
  readonly keyPem: string
  /** 0: any free port. */
  readonly port: number
}

export interface Listener {
  /** "https://127.0.0.1:40123" */
  readonly address: string
  readonly port: number
  close(): Promise<void>
}

/** Only loopback: whoever reaches this API starts programs on this machine. */
const host = '127.0.0.1'

/** k8s.io/apiserver's: answers this large are compressed, idle connections are kept this long. */
const gzipBytes = 128 * 1024
const idleMs = 90_000
/** How much of a body that is too large is read to its end. */
const discardedBytes = 16 * maxBodyBytes

export async function listenHttps(options: ListenerOptions): Promise<Listener> {
  const names = new Set<string>()
  const server = createServer({ cert: options.certPem, key: options.keyPem }, (request, response) => {
    void serve(options.server, names, request, response)
  })
  server.requestTimeout = 0
  server.keepAliveTimeout = idleMs
  const port = await listen(server, options.port)
  // A page in a browser that resolves its own name to 127.0.0.1 must not get in (DNS rebinding).
  for (const name of [host, 'localhost', '[::1]']) names.add(`${name}:${port}`)
  return {
    address: `https://${host}:${port}`,
    port,
    close: () =>
      new Promise((resolve) => {
        options.server.close()
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      const address = server.address()
      resolve(typeof address === 'object' && address ? address.port : port)
    })
  })
}

async function serve(
  server: ApiServer,
  names: ReadonlySet<string>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const gone = new AbortController()
  response.on('close', () => gone.abort())
  // A client that goes away while we write is no failure of ours.
  response.on('error', () => gone.abort())
  const answer = await answerTo(server, names, request, gone.signal)
  try {
    await send(request, response, answer, gone.signal)
  } catch {
    response.destroy()
  }
}

async function answerTo(
  server: ApiServer,
  names: ReadonlySet<string>,
  request: IncomingMessage,
  signal: AbortSignal,
): Promise<ApiResponse> {
  try {
    if (!names.has((request.headers.host ?? '').toLowerCase())) throw badRequest('the Host header names another server')
    const target = request.url ?? '/'
    if (!target.startsWith('/')) throw badRequest('the request target must be a path')
    const at = target.indexOf('?')
    const headers = singleHeaders(request)
    const body = await readBody(request)
    return await server.handle({
      method: request.method ?? 'GET',
      path: at < 0 ? target : target.slice(0, at),
      query: new URLSearchParams(at < 0 ? '' : target.slice(at + 1)),
      headers,
      headerLines: headerLines(request),
      ...(isText(headers['content-type'] ?? '') ? { body: body.toString('utf8') } : { bytes: body }),
      signal,
    })
  } catch (error) {
    const known = error instanceof StatusError ? error : badRequest('the request could not be read')
    return jsonResponse(known.code, known.toStatus())
  }
}

function singleHeaders(request: IncomingMessage): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]),
  )
}

function headerLines({ rawHeaders }: IncomingMessage): HeaderLine[] {
  const lines: HeaderLine[] = []
  for (let i = 0; i + 1 < rawHeaders.length; i += 2)
    lines.push([(rawHeaders[i] ?? '').toLowerCase(), rawHeaders[i + 1] ?? ''])
  return lines
}

const isText = (contentType: string) => !contentType.toLowerCase().startsWith(protobufType)

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  const complete = await new Promise<boolean>((resolve, reject) => {
    request.on('error', reject)
    request.on('end', () => resolve(true))
    request.on('close', () => reject(new Error('the client went away')))
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes <= maxBodyBytes) chunks.push(chunk)
      else resolve(false)
      // What is too large is thrown away, so that the client hears why; one that never ends is cut off.
      if (bytes > discardedBytes) request.destroy()
    })
  })
  if (!complete) throw tooLarge(maxBodyBytes)
  return Buffer.concat(chunks)
}

async function send(request: IncomingMessage, response: ServerResponse, answer: ApiResponse, signal: AbortSignal) {
  response.setHeader('cache-control', 'no-cache, private')
  for (const [name, value] of Object.entries(answer.headers)) {
    response.setHeader(name, typeof value === 'string' ? asBytes(value) : value.map(asBytes))
  }
  if (typeof answer.body === 'string') {
    const content = await encoded(request, response, answer.body)
    if (answer.status !== 304 && answer.status !== 204) response.setHeader('content-length', content.length)
    response.writeHead(answer.status).end(content)
    return
  }
  response.writeHead(answer.status)
  response.flushHeaders()
  for await (const chunk of answer.body) {
    if (signal.aborted) return
    if (!response.write(chunk)) await drained(response)
  }
  response.end()
}

/** Go writes headers as UTF-8; Node refuses letters that are more than a byte. */
const asBytes = (text: string) => Buffer.from(text).toString('latin1')

const compress = promisify(gzip)

/** As the API server does it: large answers, fast rather than small. */
async function encoded(request: IncomingMessage, response: ServerResponse, body: string): Promise<Buffer> {
  const plain = Buffer.from(body)
  if (plain.length < gzipBytes) return plain
  response.appendHeader('vary', 'Accept-Encoding')
  const accepted = String(request.headers['accept-encoding'] ?? '').split(',')
  if (!accepted.some((coding) => coding.split(';')[0]?.trim() === 'gzip')) return plain
  response.setHeader('content-encoding', 'gzip')
  return compress(plain, { level: 1 })
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

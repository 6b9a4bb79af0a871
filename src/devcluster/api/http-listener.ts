/** Puts an ApiServer on an HTTPS socket of this machine. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { ApiServer } from './api-server.ts'
import { badRequest, StatusError, tooLarge } from './status.ts'
import { type ApiResponse, jsonResponse, maxBodyBytes } from './wire.ts'

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

export async function listenHttps(options: ListenerOptions): Promise<Listener> {
  const names = new Set<string>()
  const server = createServer({ cert: options.certPem, key: options.keyPem }, (request, response) => {
    void serve(options.server, names, request, response)
  })
  server.requestTimeout = 0
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
    await send(response, answer, gone.signal)
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
    return await server.handle({
      method: request.method ?? 'GET',
      path: at < 0 ? target : target.slice(0, at),
      query: new URLSearchParams(at < 0 ? '' : target.slice(at + 1)),
      headers: singleHeaders(request),
      body: await readBody(request),
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

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request) {
    const part = Buffer.from(chunk)
    bytes += part.length
    if (bytes > maxBodyBytes) throw tooLarge(maxBodyBytes)
    chunks.push(part)
  }
  return Buffer.concat(chunks).toString('utf8')
}

async function send(response: ServerResponse, answer: ApiResponse, signal: AbortSignal): Promise<void> {
  for (const [name, value] of Object.entries(answer.headers)) {
    response.setHeader(name, typeof value === 'string' ? value : [...value])
  }
  response.writeHead(answer.status)
  if (typeof answer.body === 'string') {
    response.end(answer.body)
    return
  }
  response.flushHeaders()
  for await (const chunk of answer.body) {
    if (signal.aborted) return
    if (!response.write(chunk)) await drained(response)
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

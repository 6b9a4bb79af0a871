import { unlink } from 'node:fs/promises'
import http from 'node:http'
import { AgentFailure } from './failure.ts'

export interface StatusServerOptions {
  readonly status: () => object
  /** Absent: asking the agent to end by HTTP is refused. */
  readonly quit?: () => void
}
export type ListenAt = { readonly socketPath: string } | { readonly host: string; readonly port: number }

/** GET /agent/v1/status and POST /agent/v1/quit. Returns what closes it. */
export async function serveStatus(at: ListenAt, options: StatusServerOptions): Promise<() => Promise<void>> {
  const server = http.createServer({ requestTimeout: 10_000, keepAliveTimeout: 1000 }, (request, response) => {
    request.resume()
    const { status, body } = answer(request, options)
    response.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' })
    response.end(body === undefined ? '' : `${JSON.stringify(body)}\n`)
  })
  // What a crashed agent left behind would refuse the new one.
  if ('socketPath' in at) await unlink(at.socketPath).catch(() => undefined)
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(new AgentFailure(`cannot listen on ${placeOf(at)}: ${cause.message}`, { cause })),
    )
    server.listen('socketPath' in at ? { path: at.socketPath } : at, resolve)
  })
  // A connection that could not be accepted (no file left) must not end the agent.
  server.on('error', () => undefined)
  server.unref()
  return async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
}

const placeOf = (at: ListenAt) => ('socketPath' in at ? at.socketPath : `${at.host}:${at.port}`)

function answer(request: http.IncomingMessage, options: StatusServerOptions): { status: number; body?: object } {
  const path = request.url?.split('?')[0]
  if (path === '/agent/v1/status') {
    return request.method === 'GET' ? { status: 200, body: options.status() } : refusal(405, 'use GET')
  }
  if (path === '/agent/v1/quit' && options.quit) {
    if (request.method !== 'POST') return refusal(405, 'use POST')
    options.quit()
    return { status: 200 }
  }
  return refusal(404, 'this listener serves /agent/v1/status')
}

const refusal = (status: number, text: string) => ({ status, body: { errors: [text] } })

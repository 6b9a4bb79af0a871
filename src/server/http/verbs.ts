/**
 * Vault's own verbs over node:http, whose parser refuses LIST, SCAN and HELP: a listener before the parser rewrites the
 * first four bytes of a request into a method of the same length that Vault does not use, and remembers it.
 */
import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'

const disguises = [
  { verb: 'LIST', as: 'LINK' },
  { verb: 'SCAN', as: 'BIND' },
  { verb: 'HELP', as: 'LOCK' },
] as const
const disguiseOf = new Map(disguises.map(({ verb, as }) => [`${verb} `, { verb, as }]))

interface Connection {
  /** The last request that the parser gave us; undefined before the first. */
  request?: IncomingMessage
  /** Bytes of a request have arrived that the parser has not given us yet. */
  reading: boolean
  /** The verb that stands behind the method of that request. */
  pending?: string
}

/**
 * For 'connection' of http servers and 'secureConnection' of https servers. The result tells the method that the client
 * sent; it must be asked once for every request, upgrades (`last`: what follows is not HTTP) too. 'unknown': LINK, BIND or LOCK, which clients may not send.
 */
export function watchVerbs(
  server: Server,
  event: 'connection' | 'secureConnection',
): (request: IncomingMessage, last?: boolean) => string {
  const connections = new WeakMap<Socket, Connection>()
  server.on(event, (socket: Socket) => {
    const connection: Connection = { reading: false }
    connections.set(socket, connection)
    socket.prependListener('data', (chunk: Buffer) => disguise(connection, chunk))
  })
  return (request, last = false) => {
    const connection = connections.get(request.socket)
    const method = request.method ?? ''
    if (!connection) return method
    const pending = connection.pending
    connection.request = request
    connection.reading = last
    connection.pending = undefined
    // What was rewritten was not the beginning of this request: something else in it has changed.
    if (pending !== undefined)
      return disguises.some(({ verb, as }) => verb === pending && as === method) ? pending : 'unknown'
    return disguises.some(({ as }) => as === method) ? 'unknown' : method
  }
}

function disguise(connection: Connection, chunk: Buffer): void {
  // Only the first bytes after a complete request start a new one; a body or a header may begin with "LIST " too.
  if (connection.reading || (connection.request && !connection.request.complete)) return
  connection.reading = true
  const found = chunk.length >= 5 ? disguiseOf.get(chunk.toString('latin1', 0, 5)) : undefined
  if (!found) return
  chunk.write(found.as, 0, 'latin1')
  connection.pending = found.verb
}

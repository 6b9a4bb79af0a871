/**
 * Vault's own verbs over node:http, whose parser refuses LIST, SCAN and HELP: what arrives passes through here first, and
 * the first four bytes of a request become a method of the same length that Vault does not use, which is remembered.
 */
import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'

const disguises = [
  { verb: 'LIST', as: 'LINK' },
  { verb: 'SCAN', as: 'BIND' },
  { verb: 'HELP', as: 'LOCK' },
] as const
const disguiseOf = new Map(disguises.map(({ verb, as }) => [`${verb} `, { verb, as }]))
/** A verb and the space behind it. */
const verbBytes = 5

interface Connection {
  readonly socket: Socket
  /** Node's own listener: the parser. */
  readonly parse: (chunk: Buffer) => void
  /** The last request that the parser gave us; undefined before the first. */
  request?: IncomingMessage
  /** Bytes of a request have arrived that the parser has not given us yet. */
  reading: boolean
  /** What follows is not HTTP: the parser must see none of it. */
  over: boolean
  /** What came of a request's first bytes, as long as they may become one of our verbs. A text: a piece of a chunk would keep all of it. */
  held: string
  /** The last characters of a head that goes on in the next chunk: its end may begin with them. */
  tail: string
  /** How much of the body is still to come; undefined: not looked at yet. */
  left?: number
  /** The verb that stands behind the method of that request. */
  pending?: string
  readonly take: (chunk: Buffer) => void
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
    // The server's own listener on this event came first: the parser already listens, and from now on to us alone.
    const [parser] = socket.listeners('data')
    if (!parser) throw new Error('no HTTP parser listens on this connection')
    socket.removeAllListeners('data')
    const connection: Connection = {
      socket,
      parse: (chunk) => void Reflect.apply(parser, socket, [chunk]),
      reading: false,
      over: false,
      held: '',
      tail: '',
      take: (chunk) => take(connection, chunk),
    }
    connections.set(socket, connection)
    socket.on('data', connection.take)
  })
  return (request, last = false) => {
    const connection = connections.get(request.socket)
    const method = request.method ?? ''
    if (!connection) return method
    const pending = connection.pending
    connection.request = request
    connection.reading = last
    connection.left = undefined
    connection.pending = undefined
    if (last) {
      connection.over = true
      request.socket.off('data', connection.take)
    }
    // What was rewritten was not the beginning of this request: something else in it has changed.
    if (pending !== undefined)
      return disguises.some(({ verb, as }) => verb === pending && as === method) ? pending : 'unknown'
    return disguises.some(({ as }) => as === method) ? 'unknown' : method
  }
}

/** Hands the bytes on, head by head and body by body where their ends can be told, so that each request's beginning is looked at. */
function take(connection: Connection, chunk: Buffer): void {
  const { socket, held } = connection
  let rest = held === '' ? chunk : Buffer.concat([Buffer.from(held, 'latin1'), chunk])
  connection.held = ''
  while (rest.length > 0) {
    const begins = !connection.reading && (!connection.request || connection.request.complete)
    if (begins && isPartOfVerb(rest)) {
      connection.held = rest.toString('latin1')
      return
    }
    if (begins) disguise(connection, rest)
    const end = connection.reading ? endOfHead(connection, rest) : endOfBody(connection, rest)
    connection.parse(rest.subarray(0, end))
    rest = rest.subarray(end)
    if (rest.length === 0 || socket.destroyed) return
    // For whoever goes on with another protocol, or too many answers wait already: the parser takes nothing until they are out.
    if (connection.over || socket.isPaused()) {
      socket.unshift(rest)
      return
    }
  }
}

const isPartOfVerb = (bytes: Buffer) =>
  bytes.length < verbBytes && disguises.some(({ verb }) => `${verb} `.startsWith(bytes.toString('latin1')))

/** Only the first bytes of a request: a body or a header may begin with "LIST " too. */
function disguise(connection: Connection, request: Buffer): void {
  connection.reading = true
  connection.tail = ''
  const found = request.length >= verbBytes ? disguiseOf.get(request.toString('latin1', 0, verbBytes)) : undefined
  if (!found) return
  request.write(found.as, 0, 'latin1')
  connection.pending = found.verb
}

const headEnds = '\r\n\r\n'
const endOfHeadBytes = Buffer.from(headEnds)

/** Where the head that these bytes belong to ends; all there is, where it goes on. */
function endOfHead(connection: Connection, bytes: Buffer): number {
  const { tail } = connection
  connection.tail = ''
  if (tail !== '') {
    const across = (tail + bytes.toString('latin1', 0, headEnds.length - 1)).indexOf(headEnds)
    if (across >= 0) return across + headEnds.length - tail.length
  }
  const found = bytes.indexOf(endOfHeadBytes)
  if (found >= 0) return found + headEnds.length
  connection.tail = (tail + bytes.toString('latin1', Math.max(0, bytes.length - 3))).slice(-3)
  return bytes.length
}

/** As the parser has read the head; all there is, where the body's end can't be told from it (chunks). */
function endOfBody(connection: Connection, bytes: Buffer): number {
  connection.left ??= bodyLength(connection.request)
  // None left, though the parser waits for more: it knows better.
  if (connection.left === 0) return bytes.length
  const end = Math.min(connection.left, bytes.length)
  connection.left -= end
  return end
}

function bodyLength(request: IncomingMessage | undefined): number {
  const { 'content-length': length, 'transfer-encoding': coding } = request?.headers ?? {}
  return coding === undefined && /^\d{1,15}$/.test(length ?? '') ? Number(length) : Number.POSITIVE_INFINITY
}

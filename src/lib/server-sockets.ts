import type { Server, Socket } from 'node:net'

/** The connections of a server, from the first byte on: what node:http knows begins with a request, and after TLS's handshake. */
export interface ServerSockets {
  /** Ends those on which the client has not said anything. To http they are not idle: they would hold up its end. */
  endSilent(): void
  endAll(): void
}

/** Of a server that does not listen yet. */
export function serverSockets(server: Server): ServerSockets {
  const open = new Set<Socket>()
  const add = (socket: Socket) => {
    // One that ended its handshake after the server.
    if (!server.listening) return void socket.destroy()
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  }
  server.on('connection', add)
  // The same connection once more, as what goes through it.
  server.on('secureConnection', add)
  return {
    endSilent: () => {
      for (const socket of open) if (socket.bytesRead === 0) socket.destroy()
    },
    endAll: () => {
      for (const socket of open) socket.destroy()
    },
  }
}

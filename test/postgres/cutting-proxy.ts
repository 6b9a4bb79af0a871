/** A TCP proxy in front of PostgreSQL that cuts, or falls silent, between any two bytes. */
import { connect, createServer, type Socket } from 'node:net'

export type Fault =
  /** After so many more bytes in that direction both sides are reset. */
  | { readonly kind: 'cut'; readonly direction: 'up' | 'down'; readonly after: number }
  /** After so many more bytes nothing goes through in that direction any more. */
  | { readonly kind: 'silence'; readonly direction: 'up' | 'down'; readonly after: number }

export interface CuttingProxy {
  readonly port: number
  /** Once armed a fault befalls the connection that reaches its byte first, and no other. */
  arm(fault: Fault | undefined): void
  /** Whether the armed fault has happened. */
  readonly struck: boolean
  delay(ms: number): void
  /** All connections are reset, and so are new ones. */
  away(isAway: boolean): void
  close(): Promise<void>
}

export async function startProxy(target: number): Promise<CuttingProxy> {
  const sockets = new Set<Socket>()
  let fault: Fault | undefined
  let struck = false
  let delayMs = 0
  let away = false

  const pipe = (from: Socket, to: Socket, direction: Fault['direction']) => {
    let silent = false
    from.on('data', (chunk) => {
      if (silent) return
      let rest = chunk
      if (fault && !struck && fault.direction === direction) {
        if (fault.after > chunk.length) fault = { ...fault, after: fault.after - chunk.length }
        else {
          struck = true
          rest = chunk.subarray(0, fault.after)
          if (fault.kind === 'silence') silent = true
          else {
            // What was let through arrives before the reset does.
            to.write(rest, () => {
              from.destroy()
              to.destroy()
            })
            return
          }
        }
      }
      if (delayMs === 0) to.write(rest)
      else setTimeout(() => to.destroyed || to.write(rest), delayMs)
    })
    from.on('error', () => undefined)
    from.on('close', () => to.destroy())
  }

  const server = createServer((client) => {
    if (away) {
      client.resetAndDestroy()
      return
    }
    const upstream = connect(target, '127.0.0.1')
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.once('close', () => sockets.delete(socket))
    }
    pipe(client, upstream, 'up')
    pipe(upstream, client, 'down')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    arm(next) {
      fault = next
      struck = false
    },
    get struck() {
      return struck
    },
    delay(ms) {
      delayMs = ms
    },
    away(isAway) {
      away = isAway
      if (isAway) for (const socket of sockets) socket.resetAndDestroy()
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

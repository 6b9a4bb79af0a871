/** A server on a socket of the file system: never open to more than its owner for a moment, and no other server's. */
import { chmodSync, chownSync, lstatSync, unlinkSync } from 'node:fs'
import { connect, type Server } from 'node:net'

export interface UnixSocket {
  readonly path: string
  /** Permission bits; absent: 0600. */
  readonly mode?: number
  readonly uid?: number
  readonly gid?: number
  /** Several processes of one server are given its connections in turn; another one makes it, and has cleared the place. */
  readonly shared?: boolean
}

/** Resolves when it listens; rejects when something else is at the path. Node removes the socket when the server closes. */
export async function listenOnSocket(server: Server, socket: UnixSocket): Promise<void> {
  if (!socket.shared) await clearSocket(socket.path)
  // The socket is made at once, with these bits; what the configuration allows comes when its owner is right.
  const before = process.umask(0o177)
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(socket.path, resolve)
      process.umask(before)
    })
  } finally {
    process.umask(before)
  }
  if (socket.uid !== undefined || socket.gid !== undefined) chownSync(socket.path, socket.uid ?? -1, socket.gid ?? -1)
  // Who makes it for others has umask 022: it is for its owner alone until here, but not quite 0600.
  const mode = socket.mode ?? (socket.shared ? 0o600 : undefined)
  if (mode !== undefined) chmodSync(socket.path, mode)
}

/** Removes the socket of a server that is gone, nothing else: rejects when there is something else. */
export async function clearSocket(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (!found) return
  if (!found.isSocket()) throw new Error(`${path} is no socket: remove it or choose another address`)
  if (await answers(path)) throw new Error(`another server listens on ${path}`)
  unlinkSync(path)
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path)
    const done = (answer: boolean) => {
      probe.destroy()
      resolve(answer)
    }
    probe.once('connect', () => done(true))
    probe.once('error', (error: NodeJS.ErrnoException) =>
      done(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'),
    )
  })
}

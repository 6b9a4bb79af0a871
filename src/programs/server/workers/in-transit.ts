import type { Worker } from 'node:cluster'

interface Handle {
  close(): void
}

/**
 * Closes the connections that were handed to a worker and that it did not live to take. Node (20 to 24) loses them: the
 * primary keeps its end open without a reader, and the client waits for good. Node's own words between a primary and its workers
 * are read for that: `newconn` with a handle, answered by `ack`. Were they to change nothing would be closed, as without this.
 */
export function closeWhatIsInTransit(worker: Worker): void {
  const inTransit = new Map<number, Handle>()
  const { process: child } = worker
  const send = child.send.bind(child) as (...given: readonly unknown[]) => boolean
  child.send = (...given: readonly unknown[]) => {
    const [message, handle] = given
    if (isNewConnection(message) && isHandle(handle)) inTransit.set(message.seq, handle)
    return send(...given)
  }
  child.on('internalMessage', (message: unknown) => {
    if (typeof message === 'object' && message !== null && 'ack' in message && typeof message.ack === 'number') {
      inTransit.delete(message.ack)
    }
  })
  child.once('exit', () => {
    for (const handle of inTransit.values()) handle.close()
    inTransit.clear()
  })
}

function isNewConnection(message: unknown): message is { readonly seq: number } {
  return (
    typeof message === 'object' &&
    message !== null &&
    'act' in message &&
    message.act === 'newconn' &&
    'seq' in message &&
    typeof message.seq === 'number'
  )
}

const isHandle = (value: unknown): value is Handle =>
  typeof value === 'object' && value !== null && 'close' in value && typeof value.close === 'function'

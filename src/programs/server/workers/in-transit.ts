/** Connections on their way from the primary to its workers: Node (20 to 24) loses some, and with them the end of a process. */
import type { Worker } from 'node:cluster'

interface Handle {
  close(): void
}

/**
 * Node's own words between a primary and its workers are read for this: `newconn` with a handle, answered by `ack`, which says
 * whether it was accepted. Were they to change nothing would be closed, as without this.
 */
export class InTransit {
  /** Asked of a worker, not answered; by the number of the question. */
  readonly #asked = new Map<number, { readonly handle: Handle; readonly worker: Worker }>()
  /** The newest question about each. */
  readonly #newest = new Map<Handle, number>()
  #ending = false

  watch(worker: Worker): void {
    const { process: child } = worker
    const send = child.send.bind(child) as (...given: readonly unknown[]) => boolean
    child.send = (...given: readonly unknown[]) => {
      const [message, handle] = given
      if (isNewConnection(message) && isHandle(handle)) {
        this.#asked.set(message.seq, { handle, worker })
        this.#newest.set(handle, message.seq)
      }
      return send(...given)
    }
    // Node has heard it first, and may have asked another worker.
    child.on('internalMessage', (message: unknown) => {
      if (isAnswer(message)) this.#answered(message.ack, message.accepted)
    })
    const disconnect = child.disconnect.bind(child)
    child.disconnect = () => {
      disconnect()
      this.#gone(worker)
    }
    child.once('exit', () => this.#gone(worker))
  }

  /** The node stops: a connection that no worker takes any more is closed, instead of waiting for one. */
  end(): void {
    this.#ending = true
    for (const [handle, seq] of this.#newest) if (!this.#asked.has(seq)) this.#close(handle)
  }

  #answered(seq: number, accepted: boolean): void {
    const found = this.#asked.get(seq)
    if (!found) return
    this.#asked.delete(seq)
    if (accepted) this.#newest.delete(found.handle)
    else if (this.#ending && this.#newest.get(found.handle) === seq) this.#close(found.handle)
  }

  /**
   * What it did not live to take is closed: the primary would keep its end open without a reader, and the client would wait for
   * good. And Node is told that the worker is gone, which it does not see by itself when the process ends with such a connection
   * unanswered and its end is known before the end of its messages: then the primary would listen, and live, for ever.
   */
  #gone(worker: Worker): void {
    worker.disconnect()
    for (const [seq, asked] of this.#asked) {
      if (asked.worker !== worker) continue
      this.#asked.delete(seq)
      this.#close(asked.handle)
    }
  }

  #close(handle: Handle): void {
    this.#newest.delete(handle)
    handle.close()
  }
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

function isAnswer(message: unknown): message is { readonly ack: number; readonly accepted: boolean } {
  return (
    typeof message === 'object' &&
    message !== null &&
    'ack' in message &&
    typeof message.ack === 'number' &&
    'accepted' in message &&
    typeof message.accepted === 'boolean'
  )
}

const isHandle = (value: unknown): value is Handle =>
  typeof value === 'object' && value !== null && 'close' in value && typeof value.close === 'function'

import type { Readable } from 'node:stream'
import type { KubeBody } from './transport.ts'

/** So much may wait for its reader before the link is told to slow down; it is read at one go, so it must not take long. */
const waitingBytes = 128 * 1024

/**
 * The body of an answer. An error of the stream is `failed`'s, and is not raised when nobody reads. Node's own iterator turns
 * for every record of TLS; this one gives together what one turn of the loop brought.
 */
export function bodyPieces(stream: Readable, failed: (error: unknown) => unknown): KubeBody {
  const ending = endOf(stream, failed)
  return {
    [Symbol.asyncIterator]: () => new Pieces(stream, ending),
    all: (take) =>
      new Promise((resolve, reject) => {
        ending.then(resolve, reject)
        stream.on('data', (piece: Uint8Array) => {
          try {
            take(piece)
          } catch (error) {
            reject(error)
            stream.destroy()
          }
        })
      }),
  }
}

function endOf(stream: Readable, failed: (error: unknown) => unknown): Promise<void> {
  const ending = new Promise<void>((resolve, reject) => {
    stream.on('end', resolve)
    stream.on('error', (error) => reject(failed(error)))
    stream.on('close', () => {
      if (!stream.readableEnded) reject(failed(new Error('closed before its end')))
    })
  })
  ending.catch(() => {})
  return ending
}

class Pieces implements AsyncIterator<Uint8Array, undefined> {
  readonly #stream: Readable
  #queue: Uint8Array[] = []
  #bytes = 0
  #end: { readonly error?: unknown } | undefined
  #wake: (() => void) | undefined

  constructor(stream: Readable, ending: Promise<void>) {
    this.#stream = stream
    const ended = (end: { readonly error?: unknown }) => {
      this.#end ??= end
      this.#wake?.()
    }
    ending.then(
      () => ended({}),
      (error: unknown) => ended({ error }),
    )
    stream.on('data', (piece: Uint8Array) => this.#arrived(piece))
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    while (this.#queue.length === 0) {
      if (this.#end && 'error' in this.#end) throw this.#end.error
      if (this.#end) return { done: true, value: undefined }
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      this.#wake = undefined
    }
    const [first] = this.#queue
    const value = this.#queue.length === 1 && first ? first : Buffer.concat(this.#queue)
    this.#queue = []
    this.#bytes = 0
    if (this.#stream.isPaused()) this.#stream.resume()
    return { done: false, value }
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#end ??= {}
    this.#queue = []
    this.#stream.destroy()
    return { done: true, value: undefined }
  }

  #arrived(piece: Uint8Array): void {
    // The rest of what the socket holds arrives before the reader runs.
    if (this.#queue.length === 0) setImmediate(() => this.#wake?.())
    this.#queue.push(piece)
    this.#bytes += piece.byteLength
    if (this.#bytes > waitingBytes) this.#stream.pause()
  }
}

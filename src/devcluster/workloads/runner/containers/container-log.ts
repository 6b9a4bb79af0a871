import { type FileHandle, open } from 'node:fs/promises'

/** A container's output in a file, and live for those who follow it. */
export class ContainerLog {
  readonly #file: FileHandle
  readonly #followers = new Set<(chunk: Buffer | undefined) => void>()
  #bytes = 0
  #writing: Promise<void> = Promise.resolve()
  #closed = false

  constructor(file: FileHandle) {
    this.#file = file
  }

  /** A new file; one that is there is emptied. */
  static async create(path: string): Promise<ContainerLog> {
    return new ContainerLog(await open(path, 'w+', 0o600))
  }

  write(chunk: Buffer): void {
    if (this.#closed) return
    this.#bytes += chunk.byteLength
    // In order, and never in the way of the container: its pipe is read on while the disk is slow.
    this.#writing = this.#writing.then(async () => {
      await this.#file.appendFile(chunk).catch(() => {})
    })
    for (const follower of this.#followers) follower(chunk)
  }

  /** No more output will come; followers end, readers can go on. */
  end(): void {
    this.#closed = true
    for (const follower of this.#followers) follower(undefined)
    this.#followers.clear()
  }

  async close(): Promise<void> {
    this.end()
    await this.#writing
    await this.#file.close()
  }

  /** What was written until now, and, when `follow`, what comes until the container ends or `signal` aborts. */
  async *read(options: { follow: boolean; tailLines?: number; signal: AbortSignal }): AsyncGenerator<Buffer, void> {
    const queue: Buffer[] = []
    let ended = this.#closed || !options.follow
    let wake = () => {}
    const follower = (chunk: Buffer | undefined) => {
      if (chunk) queue.push(chunk)
      else ended = true
      wake()
    }
    const onAbort = () => follower(undefined)
    if (!ended) this.#followers.add(follower)
    options.signal.addEventListener('abort', onAbort, { once: true })
    try {
      yield tail(await this.#written(this.#bytes), options.tailLines)
      for (;;) {
        const chunk = queue.shift()
        if (chunk) yield chunk
        else if (ended || options.signal.aborted) return
        else {
          await new Promise<void>((resolve) => {
            wake = resolve
          })
        }
      }
    } finally {
      this.#followers.delete(follower)
      options.signal.removeEventListener('abort', onAbort)
    }
  }

  async #written(bytes: number): Promise<Buffer> {
    await this.#writing
    const content = Buffer.alloc(bytes)
    const { bytesRead } = await this.#file.read(content, 0, bytes, 0)
    return content.subarray(0, bytesRead)
  }
}

/** The last lines; a last line without its end counts as one. */
function tail(content: Buffer, lines: number | undefined): Buffer {
  if (lines === undefined) return content
  if (lines === 0) return Buffer.alloc(0)
  let at = content.length
  if (content[at - 1] === 0x0a) at -= 1
  for (let left = lines; left > 0; left--) {
    at = at <= 0 ? -1 : content.lastIndexOf(0x0a, at - 1)
    if (at < 0) return content
  }
  return content.subarray(at + 1)
}

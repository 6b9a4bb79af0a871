import { readSync } from 'node:fs'
import { type FileHandle, open, statfs, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { StorageFull } from '../contracts/storage.ts'

export interface SpoolPlace {
  readonly folder: string
  /** What must stay free on its volume. */
  readonly minFreeBytes: number
  readonly statfs?: (path: string) => Promise<{ readonly bsize: number; readonly bavail: number }>
}

const checkEvery = 16 * 1024 * 1024
const chunkBytes = 256 * 1024

/** A file without a name for what is too large for memory: it is gone with the process, however that ends. */
export class Spool {
  readonly #place: SpoolPlace
  readonly #file: FileHandle
  #size = 0
  #checkedAt = 0
  #closed: Promise<void> | undefined

  private constructor(place: SpoolPlace, file: FileHandle) {
    this.#place = place
    this.#file = file
  }

  /** `name`: of no other file; it is there for a moment only. */
  static async open(place: SpoolPlace, name: string): Promise<Spool> {
    const path = join(place.folder, `.snapshot-${name}`)
    const file = await open(path, 'wx+', 0o600).catch((cause: unknown) => {
      throw new StorageFull(
        `no file for a snapshot can be made in ${place.folder} (${codeOf(cause)}): the server needs a folder there that it may write to`,
        { cause },
      )
    })
    await unlink(path)
    return new Spool(place, file)
  }

  get size(): number {
    return this.#size
  }

  /** Throws StorageFull when that many further bytes would take the volume below what must stay free. */
  async reserve(bytes: number): Promise<void> {
    const { folder, minFreeBytes } = this.#place
    const { bsize, bavail } = await (this.#place.statfs ?? statfs)(folder)
    const free = bsize * bavail
    if (free - bytes >= minFreeBytes) return
    throw new StorageFull(
      `the snapshot does not fit: the volume of ${folder} has ${mebibytes(free)} free, ${mebibytes(bytes)} are needed and ` +
        `${mebibytes(minFreeBytes)} must stay free`,
    )
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (this.#size >= this.#checkedAt) {
      await this.reserve(checkEvery)
      this.#checkedAt = this.#size + checkEvery
    }
    for (let at = 0; at < chunk.length; ) {
      const { bytesWritten } = await this.#file
        .write(chunk, at, chunk.length - at, this.#size)
        .catch((cause: unknown) => {
          throw new StorageFull(`the snapshot can not be kept in ${this.#place.folder}: ${codeOf(cause)}`, { cause })
        })
      at += bytesWritten
      this.#size += bytesWritten
    }
  }

  /** Fewer bytes than asked for at the end only. */
  readSync(from: number, length: number): Buffer {
    const out = Buffer.allocUnsafe(Math.max(0, Math.min(length, this.#size - from)))
    for (let at = 0; at < out.length; ) {
      const read = readSync(this.#file.fd, out, at, out.length - at, from + at)
      if (read === 0) throw new Error('the file of a snapshot became shorter')
      at += read
    }
    return out
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < this.#size; ) {
      const buffer = Buffer.allocUnsafe(Math.min(chunkBytes, this.#size - at))
      const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, at)
      if (bytesRead === 0) throw new Error('the file of a snapshot became shorter')
      at += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#file.close()
    return this.#closed
  }
}

const mebibytes = (bytes: number) => `${Math.max(0, Math.ceil(bytes / 1024 / 1024))} MiB`

const codeOf = (cause: unknown) => (cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown reason')

import { createReadStream } from 'node:fs'
import { open, readdir, rename, rm, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolder } from '../../../lib/make-folder.ts'
import { type RandomBytes, uuid } from '../../../lib/random.ts'
import { StorageFull } from '../../../server/contracts/storage.ts'
import { openSnapshot } from '../../../server/snapshots/open-snapshot.ts'
import { Spool, type SpoolPlace } from '../../../server/snapshots/spool.ts'
import { SnapshotNames, type SnapshotPlace } from './snapshot-names.ts'

const checkEvery = 16 * 1024 * 1024

export interface SnapshotFolderOptions {
  readonly path: string
  /** Tells this cluster's files from those of others in the same folder. */
  readonly clusterId: string
  readonly random: RandomBytes
  readonly spoolPlace: SpoolPlace
  readonly maxValueBytes: number
}

/** Files that are there whole or not at all, only for their owner. */
export class SnapshotFolder implements SnapshotPlace {
  readonly #options: SnapshotFolderOptions
  readonly #names: SnapshotNames

  constructor(options: SnapshotFolderOptions) {
    this.#options = options
    this.#names = new SnapshotNames(options.clusterId)
  }

  get where(): string {
    return this.#options.path
  }

  /** Also on a new node, or when it was emptied by someone. */
  async lacks(): Promise<boolean> {
    return (await this.names()).length === 0
  }

  /** Names of this cluster's, oldest first. */
  async names(): Promise<string[]> {
    const names = await readdir(this.#options.path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return []
      throw error
    })
    return names.filter((name) => this.#names.isOurs(name)).sort()
  }

  /** Written, synced, read again and checked before it gets its name. Answers its size. */
  async write(body: AsyncIterable<Uint8Array>, at: number): Promise<{ name: string; bytes: number }> {
    const { path } = this.#options
    makeFolder(path)
    const name = this.#names.at(at)
    const partial = join(path, `.${name}.partial`)
    await this.#removePartials()
    try {
      const file = await open(partial, 'wx', 0o600)
      try {
        for await (const chunk of this.#withRoom(body)) await file.appendFile(chunk)
        await file.sync()
      } finally {
        await file.close()
      }
      await this.#check(partial)
      await rename(partial, join(path, name))
      const folder = await open(path, 'r')
      await folder.sync().finally(() => folder.close())
      return { name, bytes: (await stat(join(path, name))).size }
    } catch (error) {
      await rm(partial, { force: true })
      throw error
    }
  }

  /** Removes all but the newest. Answers how many there are then. */
  async keepNewest(count: number, latest: string): Promise<number> {
    const names = await this.names()
    for (const name of this.#names.beyond(count, names, latest))
      await rm(join(this.#options.path, name), { force: true })
    return Math.min(names.length, count)
  }

  /** On the volume of the storage a backup must not bring writes to a stop. */
  async *#withRoom(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const { path, spoolPlace } = this.#options
    let unchecked = Number.POSITIVE_INFINITY
    for await (const chunk of body) {
      unchecked += chunk.length
      if (unchecked > checkEvery) {
        unchecked = 0
        const { bsize, bavail } = await (spoolPlace.statfs ?? statfs)(path)
        if (bsize * bavail - checkEvery < spoolPlace.minFreeBytes) {
          throw new StorageFull(`the volume of ${path} has too little room for a snapshot: nothing was kept`)
        }
      }
      yield chunk
    }
  }

  /** Of a process that was killed: one writes at a time. */
  async #removePartials(): Promise<void> {
    const { path } = this.#options
    for (const name of await readdir(path)) {
      if (name.startsWith(`.${this.#names.prefix}`) && name.endsWith('.partial'))
        await rm(join(path, name), { force: true })
    }
  }

  async #check(file: string): Promise<void> {
    const { spoolPlace, random, maxValueBytes } = this.#options
    const spool = await Spool.open(spoolPlace, uuid(random))
    try {
      await openSnapshot({ source: createReadStream(file), spool, maxValueBytes })
    } finally {
      await spool.close()
    }
  }
}

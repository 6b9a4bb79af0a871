import { readFile, statfs } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { Clock } from '../../../lib/clock.ts'
import { StorageDown, StorageFull } from '../../contracts/storage.ts'

export interface StatFs {
  readonly type: number
  readonly bsize: number
  readonly bavail: number
}

/** LMDB's locks and its memory map work on one host only. Numbers: statfs(2). */
const networkFileSystems: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xfe534d42, 'SMB2'],
  [0xff534d42, 'CIFS'],
  [0x00c36400, 'Ceph'],
  [0x01021997, '9P'],
  [0x5346414f, 'AFS'],
  [0x6b414653, 'AFS'],
  [0x0bd00bd0, 'Lustre'],
  [0x01161970, 'GFS2'],
  [0x7461636f, 'OCFS2'],
  [0x47504653, 'GPFS'],
  [0x73757245, 'Coda'],
])

export const defaultMinFreeBytes = 256 * 1024 * 1024

const refreshMs = 1000
/** Commits above this are not judged by a measurement up to a second old. */
const largeCommitBytes = 1024 * 1024

export interface VolumeOptions {
  readonly folder: string
  readonly minFreeBytes: number
  readonly clock: Clock
  readonly statfs?: (path: string) => Promise<StatFs>
}

/** The disk below the file: what kind it is, and whether there is room. LMDB breaks when it meets a full disk, so it must not. */
export class Volume {
  readonly #options: VolumeOptions
  readonly #statfs: (path: string) => Promise<StatFs>
  #mountPoint = ''
  /** As measured, less what was reserved since and what was under way then. */
  #freeBytes = 0
  /** Reserved and not released: it may be on the disk already or not. */
  #underWay = 0
  /** Of all reservations ever. */
  #reserved = 0
  #measuring: Promise<void> | undefined
  #measuredAt = Number.NEGATIVE_INFINITY

  constructor(options: VolumeOptions) {
    this.#options = options
    this.#statfs = options.statfs ?? statfs
  }

  /** Throws StorageDown on a network file system. */
  async inspect(): Promise<void> {
    const { folder } = this.#options
    const type = (await this.#statfs(folder)).type >>> 0
    const name = process.platform === 'linux' ? networkFileSystems.get(type) : undefined
    if (name) {
      throw new StorageDown(
        `${folder} is on a network file system (${name}), where LMDB loses data: use a local disk or another storage`,
      )
    }
    this.#mountPoint = await findMountPoint(folder)
    await this.#measure()
  }

  /**
   * Sets room for `bytes` aside until `release` is called with the answer. Throws StorageFull when they would take the
   * volume below what must stay free. A promise only when the volume has to be measured first.
   */
  reserve(bytes: number): number | Promise<number> {
    // Every commit also writes the pages above its rows anew.
    const needed = bytes * 2 + 64 * 1024
    const old = bytes > largeCommitBytes || this.#options.clock.monotonic() - this.#measuredAt >= refreshMs
    // Before a refusal too: what was reserved is more than what is used.
    return old || this.#lacks(needed) ? this.#measure().then(() => this.#take(needed)) : this.#take(needed)
  }

  #lacks(needed: number): boolean {
    return this.#freeBytes - needed < this.#options.minFreeBytes
  }

  #take(needed: number): number {
    const { minFreeBytes, folder } = this.#options
    if (this.#lacks(needed)) {
      throw new StorageFull(
        `the volume ${this.#mountPoint} (storage in ${folder}) has ${mebibytes(this.#freeBytes)} free and ` +
          `${mebibytes(minFreeBytes)} must stay free: nothing is written until there is room again`,
      )
    }
    this.#freeBytes -= needed
    this.#underWay += needed
    this.#reserved += needed
    return needed
  }

  release(reserved: number): void {
    this.#underWay -= reserved
  }

  #measure(): Promise<void> {
    this.#measuring ??= this.#measureOnce().finally(() => {
      this.#measuring = undefined
    })
    return this.#measuring
  }

  async #measureOnce(): Promise<void> {
    const [underWay, before] = [this.#underWay, this.#reserved]
    const { bsize, bavail } = await this.#statfs(this.#options.folder)
    this.#freeBytes = bsize * bavail - underWay - (this.#reserved - before)
    this.#measuredAt = this.#options.clock.monotonic()
  }
}

function mebibytes(bytes: number): string {
  return `${Math.max(0, Math.floor(bytes / 1024 / 1024))} MiB`
}

/** As an administrator knows the volume; the folder itself where there is no /proc. */
async function findMountPoint(folder: string): Promise<string> {
  const mounts = await readFile('/proc/self/mounts', 'utf8').catch(() => '')
  // Blanks in mount points are octal there.
  const decode = (text: string) =>
    text.replace(/\\(\d{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)))
  const points = new Set(mounts.split('\n').map((line) => decode(line.split(' ')[1] ?? '')))
  for (let path = resolve(folder); ; path = dirname(path)) {
    if (points.has(path)) return path
    if (path === dirname(path)) return resolve(folder)
  }
}

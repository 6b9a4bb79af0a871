/** A folder whose files change all at once, laid out as the kubelet's AtomicWriter does: names are links through `..data`. */
import { chmod, mkdir, readdir, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Clock } from '../../../../lib/clock.ts'
import type { RandomBytes } from '../../../../lib/random.ts'

export interface VolumeFile {
  readonly content: Uint8Array
  readonly mode: number
}
/** Relative path -> file. */
export type Payload = ReadonlyMap<string, VolumeFile>

export class AtomicVolume {
  readonly #options: { dir: string; clock: Clock; random: RandomBytes }
  #written: Payload | undefined

  /** `dir` exists. */
  constructor(options: { dir: string; clock: Clock; random: RandomBytes }) {
    this.#options = options
  }

  get dir(): string {
    return this.#options.dir
  }

  /** Readers see all of the old files or all of the new ones. False: nothing had changed. */
  async write(payload: Payload): Promise<boolean> {
    if (this.#written && samePayload(this.#written, payload)) return false
    const { dir, clock, random } = this.#options
    const stamp = new Date(clock.now()).toISOString().replace(/[-:]/g, '_').replace('T', '_').replace('Z', '')
    const name = `..${stamp}.${Buffer.from(random(4)).toString('hex')}`
    try {
      await this.#fill(join(dir, name), payload)
      await this.#switchTo(name, payload)
    } catch (error) {
      // Half a write leaves no values behind, and nothing in the way of the next.
      if ((await readlink(join(dir, '..data')).catch(() => '')) !== name)
        await rm(join(dir, name), { recursive: true, force: true })
      throw error
    }
    this.#written = payload
    return true
  }

  async #fill(folder: string, payload: Payload): Promise<void> {
    await mkdir(folder, { mode: 0o755 })
    for (const [path, file] of payload) {
      const target = join(folder, path)
      await mkdir(dirname(target), { recursive: true, mode: 0o755 })
      await writeFile(target, file.content, { mode: 0o600 })
      // The umask has no say in it.
      await chmod(target, file.mode)
    }
  }

  async #switchTo(name: string, payload: Payload): Promise<void> {
    const { dir } = this.#options
    const before = await readlink(join(dir, '..data')).catch(() => undefined)
    await rm(join(dir, '..data_tmp'), { force: true })
    await symlink(name, join(dir, '..data_tmp'))
    await rename(join(dir, '..data_tmp'), join(dir, '..data'))
    await this.#linkNames(payload)
    if (before) await rm(join(dir, before), { recursive: true, force: true })
  }

  async #linkNames(payload: Payload): Promise<void> {
    const { dir } = this.#options
    const wanted = new Set([...payload.keys()].map((path) => path.split('/')[0] ?? path))
    const present = (await readdir(dir)).filter((name) => !name.startsWith('..'))
    for (const name of wanted) if (!present.includes(name)) await symlink(join('..data', name), join(dir, name))
    for (const name of present) if (!wanted.has(name)) await rm(join(dir, name), { force: true })
  }
}

function samePayload(a: Payload, b: Payload): boolean {
  if (a.size !== b.size) return false
  for (const [path, file] of a) {
    const other = b.get(path)
    if (!other || other.mode !== file.mode || Buffer.compare(other.content, file.content) !== 0) return false
  }
  return true
}

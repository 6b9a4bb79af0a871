import { mkdir, readdir, readFile, readlink, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../../lib/clock.ts'
import { type RandomBytes, uuid } from '../../../lib/random.ts'
import { StorageDown } from '../../contracts/storage.ts'

/** Who has the file open: one small file each, removed when it closes in order. */
interface Holder {
  readonly pid: number
  /** Of the process (clock ticks since boot): process ids come again. */
  readonly startTime: string
  /** Of the running kernel. */
  readonly boot: string
  /** Process ids of another container mean nothing here. */
  readonly pidNamespace: string
}

const heartbeatMs = 1000
/** How long a holder that can't be asked is watched for a sign of life. */
const watchMs = 2500

export interface HoldersOptions {
  readonly folder: string
  readonly clock: Clock
  readonly random: RandomBytes
}

/**
 * Keeps two hosts (or containers) from using one file, and tells an end in order from any other. Processes of one host
 * and container may share the file.
 */
export class Holders {
  readonly self: string
  readonly #options: HoldersOptions
  readonly #folder: string
  readonly #cleanMark: string
  #cancelBeat = () => {}
  #left = false

  constructor(options: HoldersOptions) {
    this.#options = options
    this.#folder = join(options.folder, 'holders')
    this.#cleanMark = join(options.folder, 'closed.json')
    this.self = uuid(options.random)
  }

  /**
   * Whether the last user of the file ended out of order, or the file is not as the last one left it. Throws StorageDown
   * when another host or container uses it.
   */
  async wasUnclean(file: string): Promise<boolean> {
    const names = await this.#names()
    const alive = await Promise.all(names.map((name) => this.#isAlive(name)))
    if (alive.includes(false)) return true
    if (names.length > 0) return false
    return !(await this.#isAsClosed(file))
  }

  /** From here on an end without `leave` is an unclean one. */
  async enter(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
    const dead: string[] = []
    for (const name of await this.#names()) if (!(await this.#isAlive(name))) dead.push(name)
    await rm(this.#cleanMark, { force: true })
    await this.#mark()
    for (const name of dead) await rm(join(this.#folder, name), { force: true })
    this.#beatLater()
  }

  async leave(file: string): Promise<void> {
    this.#left = true
    this.#cancelBeat()
    await rm(join(this.#folder, this.self), { force: true })
    if ((await this.#names()).length > 0) return
    await writeWhole(this.#cleanMark, JSON.stringify(await fileState(file)))
  }

  /** For leadership: whether the opening with this id may still be at work. */
  async isAlive(self: string): Promise<boolean> {
    return self === this.self || ((await this.#names()).includes(self) && (await this.#isAlive(self)))
  }

  /** How many openings are at work, this one included. Throws StorageDown as `wasUnclean`. */
  async countAlive(): Promise<number> {
    const alive = await Promise.all((await this.#names()).map((name) => this.#isAlive(name)))
    return alive.filter(Boolean).length
  }

  async #names(): Promise<string[]> {
    const names = await readdir(this.#folder).catch(() => [])
    return names.filter((name) => /^[0-9a-f-]{36}$/.test(name))
  }

  async #isAlive(name: string): Promise<boolean> {
    const path = join(this.#folder, name)
    const holder = await readHolder(path)
    if (!holder) return false
    const here = await thisProcess()
    if (holder.boot === here.boot && holder.pidNamespace === here.pidNamespace) {
      return (await startTimeOf(holder.pid)) === holder.startTime
    }
    const before = await modifiedAt(path)
    await this.#options.clock.sleep(watchMs)
    const after = await modifiedAt(path)
    if (after !== undefined && after !== before) {
      throw new StorageDown(
        `the storage in ${this.#options.folder} is in use by another host or container, and one LMDB file serves one: ` +
          'stop that one first, or use a storage that several nodes can share',
      )
    }
    return false
  }

  async #isAsClosed(file: string): Promise<boolean> {
    const [closed, now] = await Promise.all([readFile(this.#cleanMark, 'utf8').catch(() => ''), fileState(file)])
    return closed === JSON.stringify(now)
  }

  #beatLater(): void {
    this.#cancelBeat = this.#options.clock.after(heartbeatMs, () => {
      const now = new Date(this.#options.clock.now())
      utimes(join(this.#folder, this.self), now, now).catch(() => this.#mark())
      this.#beatLater()
    })
  }

  async #mark(): Promise<void> {
    if (this.#left) return
    await writeWhole(join(this.#folder, this.self), JSON.stringify(await thisProcess()))
  }
}

/** All or nothing; nothing on a full disk, where a storage must still open for reading. Whatever is missing leads to a check. */
async function writeWhole(path: string, text: string): Promise<void> {
  const written = `${path}.new`
  try {
    await writeFile(written, text, { mode: 0o600 })
    await rename(written, path)
  } catch {
    await rm(written, { force: true })
  }
}

async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    // Our own small document; one that was cut by a crash counts as dead.
    const { pid, startTime, boot, pidNamespace } = JSON.parse(await readFile(path, 'utf8'))
    return typeof pid === 'number'
      ? { pid, startTime: String(startTime), boot: String(boot), pidNamespace: String(pidNamespace) }
      : undefined
  } catch {
    return undefined
  }
}

async function thisProcess(): Promise<Holder> {
  const [boot, pidNamespace, startTime] = await Promise.all([
    readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => ''),
    readlink('/proc/self/ns/pid').catch(() => ''),
    startTimeOf(process.pid),
  ])
  return { pid: process.pid, startTime: startTime ?? '', boot: boot.trim(), pidNamespace }
}

/** Undefined when there is no such process. Without /proc (macOS) an empty text for those that there are. */
async function startTimeOf(pid: number): Promise<string | undefined> {
  if (process.platform === 'linux') {
    const line = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
    // Field 22; the second one, the name in parentheses, may hold blanks. A zombie (field 3) holds nothing any more.
    const fields = line?.slice(line.lastIndexOf(')') + 2).split(' ')
    return fields?.[0] === 'Z' ? undefined : fields?.[19]
  }
  try {
    process.kill(pid, 0)
    return ''
  } catch {
    return undefined
  }
}

async function modifiedAt(path: string): Promise<number | undefined> {
  return stat(path).then(
    (s) => s.mtimeMs,
    () => undefined,
  )
}

async function fileState(file: string): Promise<{ size: number; modified: number }> {
  const { size, mtimeMs } = await stat(file)
  return { size, modified: mtimeMs }
}

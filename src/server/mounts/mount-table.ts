/** The mounts of a namespace: rows under UUIDs, current by the version of the `mounts` epoch. */
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/log.ts'
import { base62, type RandomBytes, uuid } from '../../lib/random.ts'
import { epochKey, type NamespaceInfo } from '../contracts/epochs.ts'
import type { EventSink, Outbound } from '../contracts/mounted.ts'
import { type MountConfig, type MountInfo, Refusal } from '../contracts/request.ts'
import type { Rows, SecretStorage, Tx } from '../contracts/secret-storage.ts'
import { type Builtin, BuiltinMounts, type Tuning } from './builtin-mounts.ts'
import { Mount, type MountTypes } from './mount.ts'
import { defaultConfig, infoOf, type MountRow, mountRowJson, mountRowSchema } from './mount-row.ts'

export interface MountTableOptions {
  readonly namespace: NamespaceInfo
  readonly rows: Rows
  readonly types: MountTypes
  /** Asked once, when the first request needs them: they use the mount table themselves. */
  readonly builtins: () => readonly Builtin[]
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: Logger
  readonly outbound: Outbound
  readonly events: EventSink
  /** Refuses (400) a path that a child namespace has; asked in the commit that would take it. */
  readonly checkFree?: (tx: Tx, path: string) => Promise<void>
}

export interface NewMount {
  readonly path: string
  readonly class: 'secret' | 'auth'
  readonly type: string
  readonly description: string
  readonly options: Readonly<Record<string, string>> | null
  readonly local: boolean
  readonly sealWrap: boolean
  readonly config: Partial<MountConfig>
}

/** One consistent reading of the rows: routes requests without touching storage. */
export class MountView {
  /** The content of the epoch row that this was read under; undefined before the first mount. */
  readonly generation: string | undefined
  readonly mounts: readonly Mount[]
  /** Disabled, and not swept yet. */
  readonly removing: readonly Mount[]
  readonly #byPath: ReadonlyMap<string, Mount>
  readonly #byUuid: ReadonlyMap<string, Mount>

  constructor(generation: string | undefined, mounts: readonly Mount[]) {
    this.generation = generation
    this.mounts = mounts.filter((mount) => !mount.removing)
    this.removing = mounts.filter((mount) => mount.removing)
    this.#byPath = new Map(this.mounts.map((mount) => [mount.info.path, mount]))
    this.#byUuid = new Map(mounts.map((mount) => [mount.info.uuid, mount]))
  }

  /** The mount with the longest path that begins `path`; "secret" alone belongs to "secret/". */
  route(path: string): Mount | undefined {
    let end = path.length
    if (!path.endsWith('/')) {
      const whole = this.#byPath.get(`${path}/`)
      if (whole) return whole
    }
    for (;;) {
      end = path.lastIndexOf('/', end - 1)
      if (end < 0) return undefined
      const mount = this.#byPath.get(path.slice(0, end + 1))
      if (mount) return mount
      if (end === 0) return undefined
    }
  }

  at(path: string): Mount | undefined {
    return this.#byPath.get(path)
  }

  /** Mounts that are being removed too: their leases still need their handlers. */
  byUuid(id: string): Mount | undefined {
    return this.#byUuid.get(id)
  }
}

const epochSchema = { parse: (value: unknown) => (isRecord(value) ? String(value['at']) : '') }
const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

export class MountTable {
  readonly #options: MountTableOptions
  readonly #rows: SecretStorage
  readonly #namespace: SecretStorage
  readonly #removals: SecretStorage
  readonly #epoch: string
  readonly #builtins: BuiltinMounts
  readonly #cached = new Map<string, { readonly text: string; readonly mount: Mount }>()
  #loaded: MountView | undefined
  /** Version of the epoch row of `#loaded`; undefined while nothing was loaded. */
  #version: string | undefined

  constructor(options: MountTableOptions) {
    this.#options = options
    this.#epoch = epochKey(options.namespace.id, 'mounts')
    this.#namespace = options.rows.view(`ns/${options.namespace.id}/`)
    this.#rows = this.#namespace.at('mounts/')
    this.#removals = removalsView(options.rows)
    this.#builtins = new BuiltinMounts({ rows: options.rows, view: this.#namespace, builtins: options.builtins })
  }

  /** What was loaded last: only for finding out what to ask storage. */
  get known(): MountView {
    this.#loaded ??= new MountView(undefined, this.#builtins.mounts)
    return this.#loaded
  }

  /** To be read with each request; see `current`. */
  get epochKey(): string {
    return this.#epoch
  }
  get knownVersion(): string | undefined {
    return this.#version
  }

  /** The view that belongs to this version of the epoch row ('' while there is none): synchronous when nothing changed. */
  at(version: string): MountView | Promise<MountView> {
    return version === this.#version ? this.known : this.load()
  }

  /** As storage has it now. */
  async current(): Promise<MountView> {
    return this.at(await this.#epochVersion())
  }

  /** Reads the table anew, as of now. */
  async load(): Promise<MountView> {
    for (;;) {
      const before = await this.#epochVersion()
      const generation = await this.#namespace.get('epoch/mounts', epochSchema)
      const names: string[] = []
      for (;;) {
        const page = await this.#rows.list('', { depth: 'all', after: names.at(-1), limit: 1000 })
        names.push(...page)
        if (page.length < 1000) break
      }
      const rows = await Promise.all(names.map((name) => this.#rows.get(name, mountRowSchema)))
      await this.#builtins.load()
      if ((await this.#epochVersion()) !== before) continue
      this.#adopt(rows.filter((row) => row !== undefined))
      this.#loaded = new MountView(generation, [...this.#builtins.mounts, ...this.#mounts()])
      this.#version = before
      return this.#loaded
    }
  }

  /** Forgets everything that came from storage; called when the server seals. */
  async forget(): Promise<void> {
    const mounts = this.#mounts()
    this.#cached.clear()
    this.#loaded = undefined
    this.#version = undefined
    for (const mount of mounts) await mount.close()
    await this.#builtins.forget()
  }

  /** Refuses (400) paths that are taken, lie inside or around another mount, or are reserved, and unknown types. */
  async enable(wanted: NewMount): Promise<MountInfo> {
    const found = this.#options.types.find(wanted.type, wanted.class)
    if (!found) throw new Refusal(400, `plugin not found in the catalog: ${wanted.type}`)
    const given = found.options || wanted.options ? { ...wanted.options, ...found.options } : null
    const id = uuid(this.#options.random)
    const row: MountRow = {
      format: 1,
      path: wanted.path,
      class: wanted.class,
      type: found.type.type,
      description: wanted.description,
      accessor: `${wanted.class === 'auth' ? 'auth_' : ''}${found.type.type}_${this.#hex(4)}`,
      uuid: id,
      local: wanted.local,
      sealWrap: wanted.sealWrap,
      options: found.type.options ? found.type.options(given) : given,
      config: { ...defaultConfig, ...wanted.config },
    }
    const mount = this.#mountOf(row)
    await this.#change(async (tx, view) => {
      this.#checkFree(wanted.path, view)
      await this.#options.checkFree?.(tx, wanted.path)
      tx.create(this.#rows, id, mountRowJson(row))
      await mount.engine.created?.(tx)
    })
    this.#options.log.info('mount enabled', { path: row.path, type: row.type, accessor: row.accessor })
    return infoOf(row)
  }

  /** Changes description, options or limits; the engine may veto by throwing. */
  async tune(mount: Mount, change: (before: Tuning) => Partial<Tuning>): Promise<void> {
    const { uuid: id } = mount.info
    const builtin = this.#builtins.tune(mount, change)
    await this.#change(async (tx) => {
      if (builtin) return builtin(tx)
      const row = await tx.get(this.#rows, id, mountRowSchema)
      if (!row || row.removing) throw new Refusal(400, 'no mount entry found')
      const next: MountRow = { ...row, ...change(row) }
      tx.put(this.#rows, id, mountRowJson(next))
      await this.#mountOf(next).engine.tuned?.(tx, { options: row.options, config: { ...row.config } })
    })
  }

  /** To a path that is free: what it holds stays, under the same UUID and accessor. `with_`: what else the commit says. */
  async move(uuidOfMount: string, path: string, with_: (tx: Tx) => void): Promise<void> {
    await this.#change(async (tx, view) => {
      const row = await tx.get(this.#rows, uuidOfMount, mountRowSchema)
      if (!row || row.removing) throw new Refusal(400, 'no mount entry found')
      this.#checkFree(path, view)
      await this.#options.checkFree?.(tx, path)
      tx.put(this.#rows, uuidOfMount, mountRowJson({ ...row, path }))
      with_(tx)
    })
  }

  /** From the commit on nothing below the path answers. `sweep` removes what the mount left; then the row goes. */
  async disable(mount: Mount, sweep: (mount: Mount, signal: AbortSignal) => Promise<void>): Promise<void> {
    await this.#change(async (tx) => {
      const row = await tx.get(this.#rows, mount.info.uuid, mountRowSchema)
      if (!row) return
      tx.put(this.#rows, mount.info.uuid, mountRowJson({ ...row, removing: true }))
      tx.put(this.#removals, mount.info.uuid, { format: 1, namespace: this.#options.namespace.id })
    })
    this.#options.log.info('mount disabled', { path: mount.info.path, accessor: mount.info.accessor })
    await this.finishRemoval(mount, sweep, AbortSignal.timeout(80_000))
  }

  /** Idempotent; runs again after a crash for every mount that is still marked. */
  async finishRemoval(
    mount: Mount,
    sweep: (mount: Mount, signal: AbortSignal) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    await sweep(mount, signal)
    await mount.engine.removing?.(signal)
    await clearView(mount.storage, signal)
    await this.#change(async (tx) => {
      tx.remove(this.#rows, mount.info.uuid)
      tx.remove(this.#removals, mount.info.uuid)
    })
    this.#cached.delete(mount.info.uuid)
    await mount.close()
  }

  /** Refuses (404) inside a transaction that leaves something behind which the mount's removal must find. */
  async check(tx: Tx, mount: Mount): Promise<void> {
    if (mount.builtin) return
    const row = await tx.get(this.#rows, mount.info.uuid, mountRowSchema)
    if (!row || row.removing)
      throw new Refusal(404, `no handler for route "${mount.info.path}". route entry not found.`)
  }

  /** Refuses (400), in a commit that takes a path for something else (a child namespace), one that a mount has or lies around. */
  async reserve(tx: Tx, path: string): Promise<void> {
    const generation = await tx.get(this.#namespace, 'epoch/mounts', epochSchema)
    this.#checkFree(
      path,
      this.#version === undefined || generation !== this.known.generation ? await this.load() : this.known,
    )
    // Two that take it for different things must not both succeed.
    tx.put(this.#namespace, 'epoch/mounts', { at: base62(this.#options.random, 16) })
  }

  /** By its UUID, as of now; one that is being removed too. */
  async find(id: string): Promise<Mount | undefined> {
    const found = this.#version === undefined ? undefined : this.known.byUuid(id)
    return found ?? (await this.current()).byUuid(id)
  }

  /**
   * Tells live engines which of their rows changed; full storage keys. While someone listens to events also the others: a
   * subscriber hears what happens on other nodes, to mounts that nobody has asked this process for.
   */
  async changed(keys: readonly string[] | 'reset'): Promise<void> {
    const wakes = keys !== 'reset' && this.#options.events.listened
    if (wakes && (this.#version === undefined || keys.includes(this.#epoch))) await this.load()
    for (const mount of this.#mounts()) {
      if (!wakes && !mount.live?.changed) continue
      const prefix = mount.storage.prefix
      const own =
        keys === 'reset' ? keys : keys.filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length))
      if (own.length === 0) continue
      const engine = wakes && !mount.removing ? mount.engine : mount.live
      engine?.changed?.(own)
    }
  }

  #mounts(): Mount[] {
    return [...this.#cached.values()].map(({ mount }) => mount)
  }

  /** One commit that also moves the epoch; runs on the newest table, whose epoch row is among the checks. */
  async #change(run: (tx: Tx, view: MountView) => Promise<void>): Promise<void> {
    await this.#namespace.transaction(async (tx) => {
      const generation = await tx.get(this.#namespace, 'epoch/mounts', epochSchema)
      const view = this.#version === undefined || generation !== this.known.generation ? await this.load() : this.known
      await run(tx, view)
      tx.put(this.#namespace, 'epoch/mounts', { at: base62(this.#options.random, 16) })
    })
    await this.load()
  }

  #checkFree(path: string, view: MountView): void {
    for (const { info } of view.mounts) {
      if (info.path.startsWith(path) || path.startsWith(info.path)) {
        throw new Refusal(400, `path is already in use at ${shown(info)}`)
      }
    }
  }

  /** Keeps the engines of rows that did not change. */
  #adopt(rows: readonly MountRow[]): void {
    const gone = new Set(this.#cached.keys())
    for (const row of rows) {
      const text = JSON.stringify(row)
      gone.delete(row.uuid)
      const before = this.#cached.get(row.uuid)
      if (before?.text === text) continue
      if (before) this.#drop(before.mount)
      this.#cached.set(row.uuid, { text, mount: this.#mountOf(row) })
    }
    for (const id of gone) {
      const before = this.#cached.get(id)
      this.#cached.delete(id)
      if (before) this.#drop(before.mount)
    }
  }

  #drop(mount: Mount): void {
    mount.close().catch((error: unknown) => this.#options.log.warn('mount close failed', { error: String(error) }))
  }

  #mountOf(row: MountRow): Mount {
    const { rows, types, clock, random, log, outbound, events, namespace } = this.#options
    const info = infoOf(row)
    const type = types.find(row.type, row.class)?.type
    const storage = rows.view(`mnt/${row.uuid}/`)
    return new Mount({
      info,
      version: type?.version ?? '',
      storage,
      builtin: false,
      removing: row.removing === true,
      create: () => {
        if (!type) throw new Refusal(500, `plugin not found in the catalog: ${row.type}`)
        const fields = { mount: info.path, type: info.type }
        return type.create({ namespace, mount: info, storage, clock, random, log: log.with(fields), outbound, events })
      },
    })
  }

  async #epochVersion(): Promise<string> {
    const [row] = await this.#options.rows.read([{ key: this.#epoch }])
    return row === undefined || row === 'same' ? '' : row.version
  }

  #hex(bytes: number): string {
    return Buffer.from(this.#options.random(bytes)).toString('hex')
  }
}

/** Mounts of all namespaces whose removal is not finished, by UUID: whoever leads goes on with them. */
export const removalsView = (rows: Rows): SecretStorage => rows.view('core/removals/')

export const removalSchema = {
  parse: (value: unknown) => ({ namespace: isRecord(value) ? String(value['namespace']) : '' }),
}

const shown = (info: MountInfo) => (info.class === 'auth' ? info.path.slice('auth/'.length) : info.path)

/** Removes every row below a prefix that nothing writes to any more. */
async function clearView(view: SecretStorage, signal: AbortSignal): Promise<void> {
  for (;;) {
    signal.throwIfAborted()
    const keys = await view.list('', { depth: 'all', limit: 200 })
    if (keys.length === 0) return
    await view.transaction(async (tx) => {
      for (const key of keys) tx.remove(view, key)
    })
  }
}

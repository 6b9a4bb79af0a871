/** The tree of namespaces: rows under ids that are never used again, current by the version of the `namespaces` epoch. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Logger } from '../../lib/log.ts'
import { base62, type RandomBytes, uuid } from '../../lib/random.ts'
import { epochKey, type NamespaceInfo, rootNamespace } from '../contracts/epochs.ts'
import { Refusal } from '../contracts/request.ts'
import type { Rows, SecretStorage, Tx } from '../contracts/secret-storage.ts'
import { type NamespaceRow, namespaceRowSchema } from './namespace-row.ts'
import { NamespaceView } from './namespace-view.ts'

export interface NamespaceTableOptions {
  readonly rows: Rows
  readonly random: RandomBytes
  readonly log: Logger
  /** Refuses (400), in the commit that makes a child, a path that a mount of the parent has or lies in. */
  readonly reserve: (parent: NamespaceInfo, tx: Tx, path: string) => Promise<void>
}

const reserved = new Set(['root', 'sys', 'audit', 'auth', 'cubbyhole', 'identity', 'api-lock'])
const maxPathLength = 512
const epochSchema = {
  parse: (value: unknown) => (typeof value === 'object' && value !== null && 'at' in value ? String(value.at) : ''),
}

export class NamespaceTable {
  readonly #options: NamespaceTableOptions
  readonly #rows: SecretStorage
  readonly #root: SecretStorage
  #loaded = new NamespaceView(undefined, [])
  #version: string | undefined
  readonly epochKey = epochKey(rootNamespace.id, 'namespaces')

  constructor(options: NamespaceTableOptions) {
    this.#options = options
    this.#rows = options.rows.view('core/namespaces/')
    this.#root = options.rows.view(`ns/${rootNamespace.id}/`)
  }

  /** What was loaded last: only for finding out what to ask storage. */
  get known(): NamespaceView {
    return this.#loaded
  }

  get knownVersion(): string | undefined {
    return this.#version
  }

  /** The view that belongs to this version of the epoch row ('' while there is none): synchronous when nothing changed. */
  at(version: string): NamespaceView | Promise<NamespaceView> {
    return version === this.#version ? this.#loaded : this.load()
  }

  /** As storage has it now. */
  async current(): Promise<NamespaceView> {
    return this.at(await this.#epochVersion())
  }

  async load(): Promise<NamespaceView> {
    for (;;) {
      const before = await this.#epochVersion()
      const generation = await this.#root.get('epoch/namespaces', epochSchema)
      const names: string[] = []
      for (;;) {
        const page = await this.#rows.list('', { depth: 'all', after: names.at(-1), limit: 1000 })
        names.push(...page)
        if (page.length < 1000) break
      }
      const rows = await Promise.all(names.map((name) => this.#rows.get(name, namespaceRowSchema)))
      if ((await this.#epochVersion()) !== before) continue
      this.#loaded = new NamespaceView(
        generation,
        rows.filter((row) => row !== undefined),
      )
      this.#version = before
      return this.#loaded
    }
  }

  /** Called when the server seals. */
  forget(): void {
    this.#loaded = new NamespaceView(undefined, [])
    this.#version = undefined
  }

  /** Refuses (400) names that are reserved or taken by a mount. One that exists keeps its id and gets the metadata. */
  async create(
    parent: NamespaceInfo,
    name: string,
    customMetadata: Readonly<Record<string, string>> | undefined,
  ): Promise<NamespaceRow> {
    checkName(parent, name)
    const path = `${parent.path}${name}/`
    const id = base62(this.#options.random, 6)
    const made: NamespaceRow = {
      format: 1,
      id,
      uuid: uuid(this.#options.random),
      path,
      customMetadata: customMetadata ?? {},
    }
    return this.#change(async (tx, view) => {
      if (parent.id !== rootNamespace.id) await this.#live(tx, parent.id)
      const taken = view.rows.find((row) => row.path === path)
      if (taken?.deleting) throw new Refusal(400, `namespace "${path}" is being deleted: try again when it is gone`)
      if (taken) {
        const row = { ...taken, customMetadata: customMetadata ?? taken.customMetadata }
        tx.put(this.#rows, taken.id, row)
        return row
      }
      await this.#options.reserve(parent, tx, `${name}/`)
      tx.create(this.#rows, id, { ...made })
      return made
    })
  }

  /** A null takes a key away. */
  patch(id: string, customMetadata: Readonly<Record<string, string | null>>): Promise<NamespaceRow> {
    return this.#change(async (tx) => {
      const row = await this.#live(tx, id)
      const merged = { ...row.customMetadata, ...customMetadata }
      const kept = Object.entries(merged).filter((entry): entry is [string, string] => entry[1] !== null)
      const next = { ...row, customMetadata: Object.fromEntries(kept) }
      tx.put(this.#rows, id, next)
      return next
    })
  }

  /** From the commit on nothing below it answers. Refuses (400) while it has children. */
  async markDeleted(id: string): Promise<void> {
    const path = await this.#change(async (tx, view) => {
      const row = await this.#live(tx, id)
      if (view.rows.some((other) => other.id !== id && other.path.startsWith(row.path))) {
        throw new Refusal(400, `cannot delete namespace "${row.path}" containing child namespaces`)
      }
      tx.put(this.#rows, id, { ...row, deleting: true })
      return row.path
    })
    this.#options.log.info('namespace deleted', { path })
  }

  /** The last trace of a namespace whose rows are gone. */
  async drop(id: string): Promise<void> {
    await this.#change(async (tx) => {
      if (await tx.get(this.#rows, id, namespaceRowSchema)) tx.remove(this.#rows, id)
    })
  }

  removing(): readonly NamespaceRow[] {
    return this.#loaded.rows.filter((row) => row.deleting)
  }

  /** Answers the key that unlocks. Refuses (400) when it is locked already. */
  async lock(id: string): Promise<string> {
    const key = base62(this.#options.random, 24)
    await this.#change(async (tx, view) => {
      const row = await this.#live(tx, id)
      const above = view.lockOf(row)
      if (above) throw new Refusal(400, `namespace "${row.path}" is already locked, by the lock of "${above.path}"`)
      tx.put(this.#rows, id, { ...row, lock: hashOf(key) })
    })
    return key
  }

  /** `key` undefined: by the rights of root. */
  async unlock(id: string, key: string | undefined): Promise<void> {
    await this.#change(async (tx) => {
      const row = await this.#live(tx, id)
      if (row.lock === undefined) throw new Refusal(400, `namespace "${row.path}" is not locked`)
      if (key !== undefined && !timingSafeEqual(Buffer.from(hashOf(key)), Buffer.from(row.lock))) {
        throw new Refusal(400, 'incorrect unlock key')
      }
      const { lock: _, ...open } = row
      tx.put(this.#rows, id, open)
    })
  }

  /** Refuses (400), in the commit that would mount there, a path that a child of `parent` has or that lies around one. */
  async checkFree(parent: NamespaceInfo, tx: Tx, path: string): Promise<void> {
    const view = await this.#current(tx)
    const full = `${parent.path}${path}`
    const taken = view.rows.find(
      (row) => row.path.startsWith(full) || (full.startsWith(row.path) && row.path.length > parent.path.length),
    )
    if (taken) throw new Refusal(400, `path is already in use at namespace ${taken.path}`)
  }

  /** The newest table, whose epoch row is among the checks of `tx`. */
  async #current(tx: Tx): Promise<NamespaceView> {
    const generation = await tx.get(this.#root, 'epoch/namespaces', epochSchema)
    return this.#version === undefined || generation !== this.#loaded.generation ? this.load() : this.#loaded
  }

  async #change<T>(run: (tx: Tx, view: NamespaceView) => Promise<T>): Promise<T> {
    const result = await this.#root.transaction(async (tx) => {
      const outcome = await run(tx, await this.#current(tx))
      tx.put(this.#root, 'epoch/namespaces', { at: base62(this.#options.random, 16) })
      return outcome
    })
    await this.load()
    return result
  }

  async #live(tx: Tx, id: string): Promise<NamespaceRow> {
    const row = await tx.get(this.#rows, id, namespaceRowSchema)
    if (!row || row.deleting) throw new Refusal(404, 'namespace not found')
    return row
  }

  async #epochVersion(): Promise<string> {
    const [row] = await this.#options.rows.read([{ key: this.epochKey }])
    return row === undefined || row === 'same' ? '' : row.version
  }
}

function checkName(parent: NamespaceInfo, name: string): void {
  const reason = reserved.has(name)
    ? 'it is reserved'
    : !/^[^\s/+*.\p{C}][^\s/+*\p{C}]*$/u.test(name)
      ? 'a name is one path segment without spaces, control characters, "*" and "+", and does not begin with a dot'
      : parent.path.length + name.length + 1 > maxPathLength
        ? `the whole path may have ${maxPathLength} characters`
        : undefined
  if (reason) throw new Refusal(400, `invalid namespace name ${JSON.stringify(name)}: ${reason}`)
}

const hashOf = (key: string) => createHash('sha256').update(key).digest('hex')

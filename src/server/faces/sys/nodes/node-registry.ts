/** Who is unsealed: one row for each node, by which the others know what storage format it reads. */
import * as z from 'zod'
import type { Clock } from '../../../../lib/clock.ts'
import type { Logger } from '../../../../lib/log.ts'
import { type RandomBytes, uuid } from '../../../../lib/random.ts'
import type { Barrier } from '../../../barrier/barrier.ts'
import type { Guard } from '../../../contracts/due-rows.ts'
import type { SecretStorage } from '../../../contracts/secret-storage.ts'
import { type Check, type StorageBackend, StorageFull } from '../../../contracts/storage.ts'

export interface NodeRegistryOptions {
  readonly barrier: Barrier
  readonly backend: Pick<StorageBackend, 'announce' | 'isAtWork'>
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: Logger
  readonly node: string
  readonly version: string
  readonly cofferVersion: string
  readonly apiAddress?: () => string
}

export interface NodeRow {
  readonly format: 1
  /** The newest storage format that it reads and writes. */
  readonly knows: number
  readonly node: string
  readonly apiAddress: string
  readonly version: string
  readonly cofferVersion: string
  /** Of the storage; see StorageBackend.isAtWork. */
  readonly opening: string
  readonly since: number
}

const schema: z.ZodType<NodeRow> = z.looseObject({
  format: z.literal(1),
  knows: z.number(),
  node: z.string(),
  apiAddress: z.string(),
  version: z.string(),
  cofferVersion: z.string(),
  opening: z.string(),
  since: z.number(),
})

/** Written anew by each node that joins: who has seen all rows below, and checks it, has missed none. */
const guardKey = 'nodes-guard'
const pageRows = 1000
/** So many rows are asked for side by side: the connections to the storage are everyone's. */
const abreast = 8
/**
 * Who was silent at every look for so long is gone. One look says nothing: when a database comes back, or its clock steps, nobody
 * has been heard of lately.
 */
const goneMs = 60_000
/** Without a look for longer it is not known who was silent all the time. */
const maxGapMs = 30_000
const everyMs = 60_000

interface Found {
  readonly id: string
  readonly row: NodeRow
}

export class NodeRegistry {
  readonly #options: NodeRegistryOptions
  readonly #core: SecretStorage
  readonly #nodes: SecretStorage
  #id: string | undefined
  /** There was no room for its row. */
  #unwritten = false
  #told = ''
  /** By id, since when (monotonic) it was found silent; of the leader. */
  readonly #silent = new Map<string, number>()
  #looked = Number.NEGATIVE_INFINITY

  constructor(options: NodeRegistryOptions) {
    this.#options = options
    this.#core = options.barrier.view('core/')
    this.#nodes = options.barrier.view('core/nodes/')
  }

  /** At the unsealing. Refusal 503 when the storage's format was raised beyond what this program knows. */
  async join(now: number): Promise<void> {
    const { backend, random, log } = this.#options
    const opening = await backend.announce()
    // A row that could not be removed is written anew.
    const id = this.#id ?? uuid(random)
    try {
      await this.#write(id, opening, now)
    } catch (error) {
      // To be read a storage needs no room. Who raises the format meanwhile takes nothing from those who only read.
      if (!(error instanceof StorageFull)) throw error
      log.warn('this node is not among the nodes of the cluster until there is room', { error: error.message })
      this.#unwritten = true
    }
    this.#id = id
  }

  /** A row that was removed while this node was taken for dead is written anew; so is one for which there was no room. */
  async changed(keys: readonly string[] | 'reset'): Promise<void> {
    const id = this.#id
    if (id === undefined) return
    if (!this.#unwritten && keys !== 'reset' && !keys.includes(this.#nodes.prefix + id)) return
    this.#unwritten = false
    if (await this.#nodes.getBytes(id)) return
    const { barrier, backend } = this.#options
    const [opening, now] = [await backend.announce(), await barrier.now()]
    if (this.#id !== id) return
    await this.#write(id, opening, now).catch((error: unknown) => {
      this.#unwritten = true
      if (!(error instanceof StorageFull)) throw error
    })
    if (this.#id !== id) await this.#remove(id)
  }

  /** Before the keys go. A row that stays is one of a node that is not at work. */
  async leave(): Promise<void> {
    const id = this.#id
    this.#id = undefined
    if (id === undefined) return
    await this.#remove(id).catch(() => {
      this.#id ??= id
    })
  }

  /** Those at work, this one first. */
  async list(): Promise<NodeRow[]> {
    const found = await this.#all()
    const alive = await this.#atWork(found)
    const own = (id: string) => (id === this.#id ? 0 : 1)
    return found
      .filter((_, i) => alive[i])
      .sort((a, b) => own(a.id) - own(b.id) || a.row.since - b.row.since)
      .map(({ row }) => row)
  }

  /** What the leader does for all. Cheap when there is nothing to do. */
  async keepHouse(guard: Guard): Promise<void> {
    const { barrier, clock } = this.#options
    const raising = barrier.format < barrier.knownFormat
    if (!raising && this.#silent.size === 0 && clock.monotonic() - this.#looked < everyMs) return
    const joined = raising ? await this.#joined() : undefined
    const { gone, rest } = await this.#look()
    for (const id of gone) {
      await this.#nodes.transaction(async (tx) => {
        await guard(tx)
        tx.remove(this.#nodes, id)
      })
      this.#silent.delete(id)
    }
    if (joined) await this.#raise(rest, joined)
  }

  /** Nodes that were killed leave their rows behind. */
  async #look(): Promise<{ gone: string[]; rest: NodeRow[] }> {
    const now = this.#options.clock.monotonic()
    const silent = new Map(now - this.#looked > maxGapMs ? [] : this.#silent)
    this.#silent.clear()
    const found = await this.#all()
    const alive = await this.#atWork(found)
    const gone: string[] = []
    const rest: NodeRow[] = []
    for (const [i, { id, row }] of found.entries()) {
      const since = silent.get(id) ?? now
      if (!alive[i]) this.#silent.set(id, since)
      if (alive[i] || now - since < goneMs) rest.push(row)
      else gone.push(id)
    }
    this.#looked = now
    return { gone, rest }
  }

  /** What whoever joins changes. */
  async #joined(): Promise<Check | undefined> {
    const key = this.#core.prefix + guardKey
    const [seen] = await this.#options.barrier.read([{ key }])
    return seen === undefined || seen === 'same' ? undefined : { key, version: seen.version }
  }

  /** As far as every node knows the format. Who is taken for gone, and is not, can't write any more then (barrier/generation.ts). */
  async #raise(nodes: readonly NodeRow[], joined: Check): Promise<void> {
    const { barrier, log } = this.#options
    const from = barrier.format
    const to = Math.min(barrier.knownFormat, ...nodes.map(({ knows }) => knows))
    const behind = nodes.filter(({ knows }) => knows < barrier.knownFormat)
    const names = behind.map(({ node, cofferVersion }) => `${node} (${cofferVersion})`).sort()
    if (behind.length > 0 && this.#told !== names.join()) {
      log.info('storage format not raised: older nodes are at work', { from, to: barrier.knownFormat, nodes: names })
    }
    this.#told = names.join()
    if (to <= from) return
    await barrier.raiseFormat(to, [joined])
    log.info('storage format raised', { from, to })
  }

  async #write(id: string, opening: string, now: number): Promise<void> {
    const { barrier, node, version, cofferVersion, apiAddress } = this.#options
    const row: NodeRow = {
      ...{ format: 1, knows: barrier.knownFormat, node, version, cofferVersion, opening },
      apiAddress: apiAddress?.() ?? '',
      since: now,
    }
    await this.#core.transaction(async (tx) => {
      tx.put(this.#core, guardKey, { format: 1, joined: id })
      tx.put(this.#nodes, id, { ...row })
    })
    this.#unwritten = false
  }

  async #remove(id: string): Promise<void> {
    await this.#nodes.transaction(async (tx) => tx.remove(this.#nodes, id))
  }

  async #all(): Promise<Found[]> {
    const found: Found[] = []
    for (let after: string | undefined; ; ) {
      const ids = await this.#nodes.list('', {
        depth: 'all',
        limit: pageRows,
        ...(after === undefined ? {} : { after }),
      })
      const rows = await fewAbreast(ids, (id) => this.#nodes.get(id, schema))
      for (const [i, row] of rows.entries()) if (row) found.push({ id: ids[i] ?? '', row })
      after = ids.at(-1)
      if (ids.length < pageRows) return found
    }
  }

  #atWork(found: readonly Found[]): Promise<boolean[]> {
    return fewAbreast(found, ({ row }) => this.#options.backend.isAtWork(row.opening))
  }
}

async function fewAbreast<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  for (let i = 0; i < items.length; i += abreast) {
    results.push(...(await Promise.all(items.slice(i, i + abreast).map(work))))
  }
  return results
}

/** For tests: leases of one mount after the other over one storage, on as many nodes as wanted, without a server around them. */
import { FakeClock } from '../../lib/fake-clock.ts'
import type { Json } from '../../lib/json/value.ts'
import type { LogFields, Logger } from '../../lib/log.ts'
import { systemRandom } from '../../lib/random.ts'
import { Barrier } from '../barrier/barrier.ts'
import type { LeaseCounts } from '../contracts/access/admission.ts'
import { noGuard } from '../contracts/due-rows.ts'
import { type NamespaceInfo, rootNamespace } from '../contracts/epochs.ts'
import type { IssuedLease } from '../contracts/leases.ts'
import type { StorageBackend } from '../contracts/storage.ts'
import { Mount } from '../mounts/mount.ts'
import { defaultConfig } from '../mounts/mount-row.ts'
import { openMemory } from '../storage/memory/memory.ts'
import { DueIndex } from './due-index.ts'
import { type LeaseOrigin, LeaseStore } from './lease-store.ts'

const anyJson = { parse: (value: unknown) => value as Json }
const rootKey = () => Buffer.alloc(32, 7)

export class LeaseWorld {
  readonly clock = new FakeClock()
  readonly backend: StorageBackend = openMemory({ clock: this.clock, random: systemRandom })
  readonly alive = new Set<string>()
  /** Each call of a handler's revoke, by the name of what was lent. */
  readonly tries: string[] = []
  /** How many revocations of a name are under way now, and the most there ever were. */
  readonly under = new Map<string, number>()
  most = 0
  fail: (mount: string, name: string) => Error | undefined = () => undefined
  /** What a revocation waits for. */
  wait: (mount: string, signal: AbortSignal) => Promise<void> = async () => {}
  readonly lines: { readonly event: string; readonly fields: LogFields | undefined }[] = []

  static async start(): Promise<LeaseWorld> {
    const world = new LeaseWorld()
    const { backend, clock } = world
    const first = new Barrier({ backend, clock, random: systemRandom, log: world.log })
    await first.initialise({ rootKey: rootKey(), plain: [] })
    return world
  }

  /** Another process over the same storage, or over one that breaks. */
  async node(backend: StorageBackend = this.backend, counts?: (node: LeaseNode) => LeaseCounts): Promise<LeaseNode> {
    const barrier = new Barrier({ backend, clock: this.clock, random: systemRandom, log: this.log })
    await barrier.unseal(rootKey())
    return new LeaseNode(this, barrier, counts)
  }

  /** Lets time pass in steps of 50 ms until the work is done. */
  async settle<T>(work: Promise<T>): Promise<T> {
    const state = { done: false }
    work.then(
      () => {
        state.done = true
      },
      () => {
        state.done = true
      },
    )
    for (let i = 0; i < 5000 && !state.done; i += 1) await this.clock.advance(i === 0 ? 0 : 50)
    return work
  }

  /** Rows of leases of all kinds, and due ones. */
  async rows(): Promise<string[]> {
    const keys = await this.backend.list('ns/', { depth: 'all', limit: 1000 })
    return keys.filter((key) => /\/(leases|due)\//.test(key))
  }

  readonly log: Logger = {
    debug: (event, fields) => void this.lines.push({ event, fields }),
    info: (event, fields) => void this.lines.push({ event, fields }),
    warn: (event, fields) => void this.lines.push({ event, fields }),
    error: (event, fields) => void this.lines.push({ event, fields }),
    with: () => this.log,
  }

  mount(uuid: string, accessor = `test_${uuid.slice(0, 8)}`): Mount {
    const info = {
      path: `${uuid}/`,
      class: 'secret',
      type: 'test',
      description: '',
      accessor,
      uuid,
      local: false,
      sealWrap: false,
      options: null,
      config: defaultConfig,
    } as const
    const revoke = async (state: Json, signal: AbortSignal) => this.#revoke(uuid, String(state), signal)
    const renew = async (_: Json, incrementMs: number) => ({ ttlMs: incrementMs })
    return new Mount({
      info,
      version: 'v1',
      storage: new Barrier({ ...this, random: systemRandom }).view(`mnt/${uuid}/`),
      builtin: false,
      removing: false,
      create: () => ({
        routes: [],
        leases: { thing: { state: anyJson, revoke, renew }, fixed: { state: anyJson, revoke } },
      }),
    })
  }

  async #revoke(mount: string, name: string, signal: AbortSignal): Promise<void> {
    this.tries.push(name)
    const now = (this.under.get(name) ?? 0) + 1
    this.under.set(name, now)
    this.most = Math.max(this.most, now)
    try {
      await this.wait(mount, signal)
      const error = this.fail(mount, name)
      if (error) throw error
      this.alive.delete(name)
    } finally {
      this.under.set(name, (this.under.get(name) ?? 1) - 1)
    }
  }
}

export class LeaseNode {
  readonly world: LeaseWorld
  readonly barrier: Barrier
  readonly due: DueIndex
  readonly store: LeaseStore
  readonly #mounts = new Map<string, Mount>()

  constructor(world: LeaseWorld, barrier: Barrier, counts?: (node: LeaseNode) => LeaseCounts) {
    this.world = world
    this.barrier = barrier
    this.due = new DueIndex(barrier.view('ns/root/'), world.clock)
    const day = 86_400_000
    this.store = new LeaseStore({
      rows: barrier,
      due: this.due,
      mountOf: async (_, uuid) => (uuid.startsWith('gone') ? undefined : this.mount(uuid)),
      checkMount: async () => {},
      random: systemRandom,
      clock: world.clock,
      log: world.log,
      ttl: { defaultTtlMs: day, maxTtlMs: 32 * day },
      ...(counts ? { counts: counts(this) } : {}),
    })
  }

  mount(uuid: string): Mount {
    const known = this.#mounts.get(uuid)
    if (known) return known
    const made = this.world.mount(uuid)
    this.#mounts.set(uuid, made)
    return made
  }

  /** Lends a thing of that name below `<mount>/creds/`. */
  async issue(name: string, more: Partial<LeaseOrigin> & IssueOptions = {}): Promise<IssuedLease> {
    const {
      mountUuid = 'm1',
      ttlMs = 600_000,
      maxTtlMs = 7_200_000,
      handler = 'thing',
      renewable = true,
      effect,
    } = more
    const origin: LeaseOrigin = {
      namespace: rootNamespace,
      mount: this.mount(mountUuid),
      path: `${mountUuid}/creds/${name}`,
      signal: new AbortController().signal,
      tokenId: '',
      checkToken: async () => {},
      ...more,
    }
    const reply = await this.store.for(origin).issue(handler, name, { ttlMs, maxTtlMs, renewable }, async () => {
      await effect?.()
      this.world.alive.add(name)
      return { name }
    })
    if (reply.kind !== 'lease') throw new Error(`answered ${reply.kind}`)
    return reply.lease
  }

  leases(namespace: NamespaceInfo = rootNamespace) {
    return this.store.in(namespace)
  }

  /** What the housekeeper does each second. */
  async sweep(signal: AbortSignal = new AbortController().signal): Promise<number> {
    return this.due.sweep(await this.barrier.now(), noGuard, signal, (due, error) =>
      this.world.log.warn('due work failed', { kind: due.kind, error: String(error) }),
    )
  }

  /** Lets time pass, sweeping each second. */
  async live(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 1000) {
      const sweeping = this.sweep()
      await this.world.clock.advance(Math.min(left, 1000))
      await this.world.settle(sweeping)
    }
    await this.world.settle(this.sweep())
  }
}

interface IssueOptions {
  readonly mountUuid?: string
  readonly ttlMs?: number
  readonly maxTtlMs?: number
  readonly handler?: string
  readonly renewable?: boolean
  readonly effect?: () => Promise<void>
}

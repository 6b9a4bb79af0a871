/** The client under test behind a fault proxy, with all that can be counted. */
import { afterEach, expect } from 'vitest'
import type { KubeClient, KubeObject } from '../../src/kube/client.ts'
import { bearer, type CredentialSource, fixedIdentity } from '../../src/kube/credentials/credential-source.ts'
import { type Change, Informer } from '../../src/kube/informer.ts'
import { type Secret, secrets } from '../../src/kube/object-types.ts'
import { createKubeClient } from '../../src/kube/rest-client.ts'
import type { Timings } from '../../src/kube/transport/timings.ts'
import { WorkQueue } from '../../src/kube/work-queue.ts'
import { type Clock, systemClock } from '../../src/lib/clock.ts'
import type { Logger } from '../../src/lib/log.ts'
import { systemRandom } from '../../src/lib/random.ts'
import { type Answer, type Cluster, eventually, secret } from './cluster.ts'
import { FaultProxy, type Upstream } from './fault-proxy.ts'

/** Real time that can be put forward, with a count of what waits for it. */
export class CountingClock implements Clock {
  waiting = 0
  /** What was slept, in milliseconds. */
  readonly slept: number[] = []
  #ahead = 0

  now = () => systemClock.now() + this.#ahead
  monotonic = () => systemClock.monotonic() + this.#ahead

  skip(ms: number): void {
    this.#ahead += ms
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    this.slept.push(ms)
    this.waiting += 1
    try {
      await systemClock.sleep(ms, signal)
    } finally {
      this.waiting -= 1
    }
  }

  after(ms: number, fn: () => void): () => void {
    let over = false
    const end = () => {
      if (!over) this.waiting -= 1
      over = true
    }
    this.waiting += 1
    const cancel = systemClock.after(ms, () => {
      end()
      fn()
    })
    return () => {
      end()
      cancel()
    }
  }
}

/** Waits of milliseconds, so that tests are quick; what must not happen in a test has its usual time. */
export const quick: Partial<Timings> = {
  connectMs: 400,
  shortStreamMs: 100,
  firstRetryMs: 40,
  longestRetryMs: 400,
}

export interface Subject {
  readonly proxy: FaultProxy
  readonly client: KubeClient
  readonly clock: CountingClock
  readonly logged: string[]
  close(): Promise<void>
}

const open: { close(): Promise<void> }[] = []
/** At the end of each test; nothing may be left: no link, no timer. */
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
})
export const closeAtEnd = (one: { close(): Promise<void> }) => open.push(one)

export async function openSubject(
  cluster: Upstream,
  options: { timings?: Partial<Timings>; credentials?: CredentialSource } = {},
): Promise<Subject> {
  const proxy = await FaultProxy.start(cluster)
  const clock = new CountingClock()
  const logged: string[] = []
  const note = (event: string) => logged.push(event)
  const log: Logger = { debug: note, info: note, warn: note, error: note, with: () => log }
  const credentials = options.credentials ?? fixedIdentity({ headers: bearer('of the client') })
  const client = createKubeClient({
    config: { server: proxy.address, caPem: cluster.ca.certPem, namespace: 'default', credentials },
    clock,
    random: systemRandom,
    log,
    timings: { ...quick, ...options.timings },
  })
  const close = async () => {
    await client.close()
    try {
      await eventually(() => proxy.open === 0)
      await eventually(() => clock.waiting === 0)
    } finally {
      await proxy.close()
    }
  }
  closeAtEnd({ close })
  return { proxy, client, clock, logged, close }
}

/** An informer of the Secrets of a namespace, with all it told, and a queue whose work reads each changed object. */
export function inform({ client, clock }: Pick<Subject, 'client' | 'clock'>, namespace: string) {
  const informer = new Informer<Secret>({ client, type: secrets, options: { namespace } })
  const told: Change<Secret>[] = []
  /** What the last piece of work found for a name: a version, or undefined. */
  const worked = new Map<string, string | undefined>()
  const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {}, with: () => quiet }
  const queue = new WorkQueue({
    clock,
    random: systemRandom,
    log: quiet,
    name: 'test',
    concurrency: 2,
    firstDelayMs: 40,
    maxDelayMs: 400,
    async work(name, signal) {
      const object = await client.get(secrets, { namespace, name }, signal)
      worked.set(name, object?.metadata.resourceVersion)
      return undefined
    },
  })
  informer.onChange((change) => {
    told.push(change)
    queue.add(change.object.metadata.name ?? '')
  })
  const stop = new AbortController()
  const running = Promise.all([informer.run(stop.signal), queue.run(stop.signal)])
  closeAtEnd({
    async close() {
      stop.abort(new Error('the test is over'))
      await running
    },
  })
  return { informer, told, worked, queue }
}
export type Informed = ReturnType<typeof inform>

/** Writes to the server directly and remembers in which order. */
export class Author {
  readonly #cluster: Cluster
  readonly #path: string
  /** What became of each name, oldest first: versions, and 'deleted'. */
  readonly history = new Map<string, string[]>()
  #changes = 0

  constructor(cluster: Cluster, namespace: string) {
    this.#cluster = cluster
    this.#path = `/api/v1/namespaces/${namespace}/secrets`
  }

  async create(name: string): Promise<void> {
    this.#note(name, (await this.#cluster.post(this.#path, secret(name))).body)
  }

  async change(name: string): Promise<void> {
    this.#changes += 1
    const metadata = { annotations: { change: `${this.#changes}` } }
    this.#note(name, (await this.#cluster.patch(`${this.#path}/${name}`, 'merge', { metadata })).body)
  }

  async remove(name: string): Promise<void> {
    const { status } = await this.#cluster.delete(`${this.#path}/${name}`)
    expect(status).toBe(200)
    this.history.get(name)?.push('deleted')
  }

  /** Names and versions, as the server has them. */
  async current(): Promise<Record<string, string>> {
    const { body } = await this.#cluster.get(this.#path)
    return versionsOf(body.items)
  }

  #note(name: string, body: Answer): void {
    const version = body.metadata?.resourceVersion
    expect(version, JSON.stringify(body)).toBeTypeOf('string')
    this.history.set(name, [...(this.history.get(name) ?? []), version])
  }
}

export const versionsOf = (objects: readonly KubeObject[]): Record<string, string> =>
  Object.fromEntries(
    objects
      .map(({ metadata }) => [metadata.name ?? '', metadata.resourceVersion ?? ''] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  )

/** Waits until the informer holds what the server holds, and its queue has worked on it. */
export async function caughtUp(
  { informer, worked, queue }: Informed,
  author: Author,
  withinMs = 20_000,
): Promise<void> {
  const wanted = await author.current()
  const holds = () => JSON.stringify(versionsOf(informer.store.list())) === JSON.stringify(wanted)
  const present = () => [...worked].filter(([, version]) => version).sort(([a], [b]) => (a < b ? -1 : 1))
  // Of all names, also those that others made before: work that failed waits for its next try outside of the queue.
  const done = () => JSON.stringify(Object.fromEntries(present())) === JSON.stringify(wanted)
  await eventually(() => holds() && queue.depth === 0 && done(), withinMs).catch(() => {})
  expect(versionsOf(informer.store.list())).toEqual(wanted)
  expect(Object.fromEntries(present())).toEqual(wanted)
}

/** Nothing twice or out of order for an object, nothing invented, every end told; unless a list came between, no gap. */
export function expectFaithful({ told }: Informed, author: Author, gaps: 'gaps' | 'no gaps'): void {
  for (const [name, truth] of author.history) {
    const of = told.filter((change) => change.object.metadata.name === name)
    const seen = of.map(({ type, object }) =>
      type === 'deleted' ? 'deleted' : (object.metadata.resourceVersion ?? ''),
    )
    if (gaps === 'no gaps') expect([name, seen]).toEqual([name, truth])
    const places = seen.filter((one) => one !== 'deleted').map((version) => truth.indexOf(version))
    expect(places).not.toContain(-1)
    expect(places).toEqual([...new Set(places)].sort((a, b) => a - b))
    expect(seen.at(-1)).toBe(truth.at(-1))
    // Between an object and another of the same name stands the end of the first.
    let uid: string | undefined
    for (const { type, object } of of) {
      if (type === 'upserted' && uid !== undefined) expect(object.metadata.uid).toBe(uid)
      uid = type === 'upserted' ? object.metadata.uid : undefined
    }
  }
}

/** Whatever happens to links and answers, an informer ends up with what the server has, and asks with measure. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Author, caughtUp, expectFaithful, inform, openSubject, type Subject } from './client-faults-subject.ts'
import { type Cluster, eventually, openCluster } from './cluster.ts'

let cluster: Cluster
beforeAll(async () => {
  cluster = await openCluster()
})
afterAll(() => cluster.close())

interface Bad {
  readonly timings?: object
  /** Whether the history is read from where it was left, or a list takes its place. */
  readonly history: 'no gaps' | 'gaps'
  begin(subject: Subject): void | Promise<void>
  /** What must have been seen before it is over. */
  felt(subject: Subject): boolean
  end?(subject: Subject): void | Promise<void>
}

/** The next `count` watches get the answer. */
function answering(count: number, status: number, headers?: Record<string, string>): Bad['begin'] {
  return ({ proxy }) => {
    let left = count
    proxy.fault = (request) => {
      if (!request.watch || left === 0) return undefined
      left -= 1
      return { do: 'answer', status, headers }
    }
    proxy.cut()
  }
}
const asked = (times: number): Bad['felt'] => {
  return ({ proxy }) => proxy.watches.length >= times
}
const expired = `${JSON.stringify({ type: 'ERROR', object: { kind: 'Status', apiVersion: 'v1', code: 410, reason: 'Expired' } })}\n`

const bad: Record<string, Bad> = {
  'a link that is reset': { history: 'no gaps', begin: ({ proxy }) => proxy.cut(), felt: asked(2) },
  'a link that is cut between frames': {
    history: 'no gaps',
    begin: ({ proxy }) => proxy.spoil('cut between frames'),
    felt: asked(2),
  },
  'a link that is cut in a frame': {
    history: 'no gaps',
    begin: ({ proxy }) => proxy.spoil('cut in a frame'),
    felt: asked(2),
  },
  'a frame that is no JSON': { history: 'no gaps', begin: ({ proxy }) => proxy.spoil('spoil'), felt: asked(2) },
  'a half-open link': {
    timings: { silentMs: 700, answerMs: 700 },
    history: 'no gaps',
    begin: ({ proxy }) => proxy.silence(),
    felt: asked(2),
    end: ({ proxy }) => proxy.wake(),
  },
  'a server that refuses connections': {
    history: 'no gaps',
    async begin({ proxy }) {
      await proxy.take('none')
      proxy.cut()
    },
    felt: ({ clock }) => clock.slept.length > 5,
    end: ({ proxy }) => proxy.take('all'),
  },
  'a server that takes connections and hears nothing': {
    history: 'no gaps',
    async begin({ proxy }) {
      await proxy.take('deaf')
      proxy.cut()
    },
    felt: ({ proxy, clock }) => proxy.connections > 3 && clock.slept.length > 1,
    end: ({ proxy }) => proxy.take('all'),
  },
  'a server that resets connections': {
    history: 'no gaps',
    async begin({ proxy }) {
      await proxy.take('resets')
      proxy.cut()
    },
    felt: ({ clock }) => clock.slept.length > 5,
    end: ({ proxy }) => proxy.take('all'),
  },
  'a watch that is ended in good order': {
    history: 'no gaps',
    begin: ({ proxy }) => proxy.endWatches(),
    felt: asked(2),
  },
  '503 without a word about when': { history: 'no gaps', begin: answering(4, 503), felt: asked(6) },
  '429 with Retry-After': { history: 'no gaps', begin: answering(2, 429, { 'retry-after': '1' }), felt: asked(4) },
  'a page of HTML in place of the API': {
    history: 'no gaps',
    begin({ proxy }) {
      let left = 3
      proxy.fault = ({ watch }) => (watch && left-- > 0 ? { do: 'answer', status: 200, body: '<html>\n' } : undefined)
      proxy.cut()
    },
    felt: asked(5),
  },
  'a first byte that takes its time': {
    history: 'no gaps',
    begin({ proxy }) {
      proxy.fault = ({ watch }) => (watch ? { do: 'drip', bytes: 64 * 1024, everyMs: 300 } : undefined)
      proxy.cut()
    },
    felt: asked(2),
  },
  'a link of few bytes a moment': {
    history: 'no gaps',
    begin({ proxy }) {
      proxy.fault = ({ watch }) => (watch ? { do: 'drip', bytes: 97, everyMs: 3 } : undefined)
      proxy.cut()
    },
    felt: asked(2),
  },
  '410 as the answer': { history: 'gaps', begin: answering(1, 410), felt: asked(3) },
  '410 in the stream': { history: 'gaps', begin: ({ proxy }) => proxy.endWatches(expired), felt: asked(2) },
  'a cut in the middle of the list that follows 410': {
    history: 'gaps',
    begin({ proxy }) {
      let lists = 0
      proxy.fault = ({ query }) => {
        if (!query.has('sendInitialEvents')) return undefined
        lists += 1
        return lists <= 2 ? { do: 'truncate', bytes: 700 * lists } : undefined
      }
      proxy.endWatches(expired)
    },
    felt: asked(2),
  },
}

describe('an informer and its work queue survive', () => {
  it.each(Object.entries(bad))('%s', async (_, fault) => {
    const namespace = await cluster.namespace()
    const author = new Author(cluster, namespace)
    for (const name of ['a', 'b', 'c', 'd']) await author.create(name)
    const subject = await openSubject(cluster, { timings: fault.timings })
    const informed = inform(subject, namespace)
    await caughtUp(informed, author)
    const startedAt = performance.now()
    const [watches, connections] = [subject.proxy.watches.length, subject.proxy.connections]

    await fault.begin(subject)
    await author.change('a')
    await author.remove('b')
    await author.create('new')
    await author.remove('d')
    await author.create('d')
    await author.change('a')
    await eventually(() => fault.felt(subject), 20_000)
    await fault.end?.(subject)
    await caughtUp(informed, author)

    // All is well again: changes come, from the same stream.
    await author.change('c')
    await author.remove('new')
    await caughtUp(informed, author)
    expectFaithful(informed, author, fault.history)
    // The first tries are 40, 80, 160 and 320 ms apart, the others at least 240 ms; some need two requests.
    const bound = 8 + (performance.now() - startedAt) / 200
    expect(subject.proxy.watches.length - watches).toBeLessThan(bound)
    // The queue has four connections at most, which may all have to be made again.
    expect(subject.proxy.connections - connections).toBeLessThan(4 * bound)
  })
})

describe('a server that has recovered', () => {
  it('is not stormed: informers come back one by one', async () => {
    const namespace = await cluster.namespace()
    const author = new Author(cluster, namespace)
    await author.create('a')
    const count = 15
    const subject = await openSubject(cluster, { timings: { firstRetryMs: 200, longestRetryMs: 1000 } })
    const { proxy, clock } = subject
    const all = Array.from({ length: count }, () => inform(subject, namespace))
    for (const informed of all) await caughtUp(informed, author)
    clock.slept.length = 0
    const before = proxy.connections
    const startedAt = performance.now()
    await proxy.take('resets')
    proxy.cut()
    await author.change('a')
    await eventually(() => proxy.connections - before >= 6 * count, 20_000)
    await proxy.take('all')
    for (const informed of all) await caughtUp(informed, author)
    for (const informed of all) expectFaithful(informed, author, 'no gaps')
    // Each waits 150, 300, 600 ms and then at least 600 ms; back, the queues need a connection or two each.
    const perInformer = 5 + (performance.now() - startedAt) / 600
    expect(proxy.connections - before).toBeLessThan(count * (perInformer + 2))
    // Whoever is at the longest delay is somewhere in it: no tenth of it holds half of them.
    const longest = clock.slept.filter((ms) => ms >= 600)
    expect(longest.length).toBeGreaterThanOrEqual(count)
    expect(Math.max(...longest)).toBeLessThanOrEqual(1000)
    for (let from = 600; from < 1000; from += 40) {
      expect(longest.filter((ms) => ms >= from && ms <= from + 40).length).toBeLessThan(longest.length / 2)
    }
  })

  it('a list that the server always calls expired is asked for ever more rarely', async () => {
    const namespace = await cluster.namespace()
    const author = new Author(cluster, namespace)
    await author.create('a')
    const subject = await openSubject(cluster, { timings: { firstRetryMs: 50, longestRetryMs: 2000 } })
    const { proxy, clock } = subject
    proxy.fault = ({ watch }) => (watch ? { do: 'expire after the list' } : undefined)
    const informed = inform(subject, namespace)
    await eventually(() => proxy.watches.length >= 7, 20_000)
    proxy.fault = () => undefined
    // The second list came at once, then the waits double.
    const delays = clock.slept.filter((ms) => ms >= 30).slice(0, 5)
    for (const [i, ms] of delays.entries()) expect(ms).toBeGreaterThanOrEqual(50 * 2 ** i * 0.75)
    await author.change('a')
    await caughtUp(informed, author)
    expectFaithful(informed, author, 'gaps')
  })
})

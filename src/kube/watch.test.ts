import { array, assert, asyncProperty, constant, constantFrom, nat, oneof, record } from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { FakeClock } from '../lib/fake-clock.ts'
import { silentLog } from '../lib/log.ts'
import { systemRandom } from '../lib/random.ts'
import type { WatchEvent } from './client.ts'
import { type Secret, secrets } from './object-types.ts'
import { createKubeClient } from './rest-client.ts'
import { FakeWatchServer } from './watch/fake-watch-server.ts'

const endings: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const end of endings.splice(0)) await end()
})

/** A watcher that keeps what it was told. */
function watching(server: FakeWatchServer) {
  const clock = new FakeClock()
  const client = createKubeClient({ transport: server, clock, random: systemRandom, log: silentLog })
  const stop = new AbortController()
  const events: WatchEvent<Secret>[] = []
  const held: Record<string, string> = {}
  let synced = 0
  const done = (async () => {
    for await (const event of client.watch(secrets, { namespace: 'default' }, stop.signal)) {
      events.push(event)
      if (event.type === 'synced') synced += 1
      else if (event.type === 'upserted')
        held[event.object.metadata.name ?? ''] = event.object.metadata.resourceVersion!
      else delete held[event.object.metadata.name ?? '']
    }
  })()
  const end = async () => {
    stop.abort(new Error('test over'))
    await done
  }
  endings.push(end)
  return { clock, events, held, end, synced: () => synced }
}

function serverWith(...names: string[]) {
  const server = new FakeWatchServer()
  for (const name of names) server.put(name)
  return server
}

describe('watch', () => {
  it('gives the whole set, then synced, then each change, from one request', async () => {
    const server = serverWith('a', 'b')
    const watch = watching(server)
    await watch.clock.advance(0)
    server.put('a', 'new 😀 text')
    server.remove('b')
    server.put('c')
    await watch.clock.advance(0)
    expect(watch.events.map((e) => (e.type === 'synced' ? 'synced' : `${e.type} ${e.object.metadata.name}`))).toEqual([
      'upserted a',
      'upserted b',
      'synced',
      'upserted a',
      'deleted b',
      'upserted c',
    ])
    const changed = watch.events[3]
    expect(changed?.type === 'upserted' && changed.object.metadata.annotations).toEqual({ text: 'new 😀 text' })
    expect(server.requests.length).toBe(1)
    expect(Object.fromEntries(server.requests[0]!)).toMatchObject({
      sendInitialEvents: 'true',
      resourceVersionMatch: 'NotOlderThan',
      allowWatchBookmarks: 'true',
    })
    const timeout = Number(server.requests[0]!.get('timeoutSeconds'))
    expect(timeout).toBeGreaterThanOrEqual(300)
    expect(timeout).toBeLessThan(600)
  })

  it('a link cut in the middle of a line misses nothing', async () => {
    const server = serverWith('a')
    const watch = watching(server)
    await watch.clock.advance(0)
    server.put('b')
    server.put('c')
    server.cut(150)
    await watch.clock.advance(0)
    expect(Object.keys(watch.held)).not.toContain('c')
    server.put('d')
    await watch.clock.advance(2000)
    expect(watch.held).toEqual(server.names)
    expect(server.requests.length).toBe(2)
    expect(watch.synced()).toBe(1)
  })

  it('a cut during the initial list starts the list again and tells of what vanished meanwhile', async () => {
    const server = serverWith('a', 'b', 'c')
    server.chunkSizes = [40]
    const watch = watching(server)
    // Nothing has been read yet: the cut lets 250 bytes through, which is one object and a half.
    server.cut(250)
    await watch.clock.advance(0)
    expect([watch.synced(), Object.keys(watch.held)]).toEqual([0, ['a']])
    server.remove('a')
    await watch.clock.advance(2000)
    expect(watch.held).toEqual(server.names)
    expect(watch.synced()).toBe(1)
  })

  it('after 410 it lists again and reports objects that vanished as deleted, with their metadata', async () => {
    const server = serverWith('a', 'b')
    const watch = watching(server)
    await watch.clock.advance(0)
    server.cut()
    server.remove('a')
    server.put('c')
    server.compact()
    await watch.clock.advance(2000)
    expect(watch.held).toEqual(server.names)
    expect(watch.synced()).toBe(2)
    const gone = watch.events.find((e) => e.type === 'deleted')
    expect(gone?.type === 'deleted' && gone.object).toMatchObject({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'a', namespace: 'default' },
    })
  })

  it('a link that went silent is replaced', async () => {
    const server = serverWith('a')
    const watch = watching(server)
    await watch.clock.advance(0)
    server.silence()
    server.put('b')
    await watch.clock.advance(80_000)
    expect(Object.keys(watch.held)).toEqual(['a'])
    await watch.clock.advance(15_000)
    expect(watch.held).toEqual(server.names)
    expect(server.connections).toBe(1)
  })

  it('goes on from the last bookmark, so that compaction of quiet history costs no relist', async () => {
    const server = serverWith('a')
    const watch = watching(server)
    await watch.clock.advance(0)
    server.put('x')
    server.remove('x')
    server.bookmark()
    server.compact()
    await watch.clock.advance(0)
    server.cut()
    await watch.clock.advance(2000)
    expect(watch.synced()).toBe(1)
    server.put('b')
    await watch.clock.advance(0)
    expect(watch.held).toEqual(server.names)
  })

  it('a server without streaming lists is listed in pages', async () => {
    const server = serverWith('a', 'b', 'c', 'd', 'e')
    server.streaming = false
    const watch = watching(server)
    await watch.clock.advance(0)
    expect(watch.held).toEqual(server.names)
    expect(watch.synced()).toBe(1)
    expect(watch.events.every((e) => e.type === 'synced' || e.object.kind === 'Secret')).toBe(true)
    server.put('f')
    await watch.clock.advance(0)
    expect(watch.held).toEqual(server.names)
    server.finish()
    server.remove('a')
    await watch.clock.advance(10_000)
    expect(watch.held).toEqual(server.names)
    expect(server.requests.filter((q) => q.has('sendInitialEvents')).length).toBe(1)
  })

  it('refusals and refused connections are outlived, at most 30 s apart', async () => {
    const server = serverWith('a')
    server.refusals.push(...Array.from({ length: 12 }, (_, i) => ([403, 500, 'refused'] as const)[i % 3]!))
    const watch = watching(server)
    await watch.clock.advance(8000)
    expect(server.requests.length).toBeLessThan(6)
    await watch.clock.advance(300_000)
    expect(watch.held).toEqual(server.names)
  })

  it('a server that ends every watch at once is not asked in a tight loop', async () => {
    const server = serverWith()
    server.endsAtOnce = true
    const watch = watching(server)
    await watch.clock.advance(60_000)
    expect(server.requests.length).toBeGreaterThan(3)
    expect(server.requests.length).toBeLessThan(12)
    expect(watch.synced()).toBeGreaterThan(0)
  })

  it('a list that never comes to its end as a stream comes in pages', async () => {
    const server = serverWith('a', 'b', 'c', 'd')
    server.chunkSizes = [300]
    const watch = watching(server)
    for (let i = 0; i < 2; i++) {
      await watch.clock.advance(0)
      server.cut()
      await watch.clock.advance(3000)
    }
    expect(watch.held).toEqual(server.names)
    expect(watch.synced()).toBe(1)
  })

  it('a server that calls every version too old is listed ever more rarely', async () => {
    const server = serverWith('a')
    const watch = watching(server)
    await watch.clock.advance(0)
    for (let i = 0; i < 600; i++) {
      server.finish()
      server.put('a')
      server.compact()
      server.put('a')
      await watch.clock.advance(1000)
    }
    const lists = server.requests.filter((query) => query.has('sendInitialEvents')).length
    expect(lists).toBeGreaterThan(10)
    // Ten minutes, each list at most 30 s and in the end at least 18 s after the one before.
    expect(lists).toBeLessThan(45)
    await watch.clock.advance(60_000)
    expect(watch.held).toEqual(server.names)
  })

  it('ends by its signal only, even when the body minds no signal', async () => {
    const server = serverWith('a')
    const deaf = {
      send: (request: Parameters<FakeWatchServer['send']>[0]) => server.send({ ...request, signal: undefined }),
    }
    const client = createKubeClient({ transport: deaf, clock: new FakeClock(), random: systemRandom, log: silentLog })
    const stop = new AbortController()
    const seen: string[] = []
    for await (const event of client.watch(secrets, {}, stop.signal)) {
      seen.push(event.type)
      if (event.type === 'synced') setImmediate(() => stop.abort(new Error('over')))
    }
    expect(seen).toEqual(['upserted', 'synced'])
  })

  it('whatever happens to links and history, the watcher ends up with what the server has', async () => {
    const name = constantFrom('a', 'b', 'c', 'd')
    const step = oneof(
      record({ do: constant('put' as const), name }),
      record({ do: constant('remove' as const), name }),
      record({ do: constantFrom('bookmark', 'compact', 'finish', 'silence') }),
      record({ do: constant('cut' as const), bytes: nat(400) }),
      record({ do: constant('wait' as const), ms: constantFrom(0, 500, 3000, 100_000) }),
    )
    await assert(
      asyncProperty(array(step, { maxLength: 25 }), constantFrom(true, false), async (steps, streaming) => {
        const server = serverWith('a', 'b')
        server.streaming = streaming
        const watch = watching(server)
        for (const one of steps) {
          if ('name' in one) server[one.do](one.name)
          else if ('bytes' in one) server.cut(one.bytes)
          else if ('ms' in one) await watch.clock.advance(one.ms)
          else server[one.do as 'bookmark' | 'compact' | 'finish' | 'silence']()
        }
        await watch.clock.advance(400_000)
        expect(watch.held).toEqual(server.names)
        await watch.end()
      }),
      { numRuns: 60 },
    )
  })
})

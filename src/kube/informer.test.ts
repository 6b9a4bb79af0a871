import { afterEach, describe, expect, it } from 'vitest'
import { FakeClock } from '../lib/fake-clock.ts'
import { silentLog } from '../lib/log.ts'
import { systemRandom } from '../lib/random.ts'
import { Informer } from './informer.ts'
import { type Secret, secrets } from './object-types.ts'
import { createKubeClient } from './rest-client.ts'
import { FakeWatchServer } from './watch/fake-watch-server.ts'

const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

function informing(server: FakeWatchServer) {
  const clock = new FakeClock()
  const client = createKubeClient({ transport: server, clock, random: systemRandom, log: silentLog })
  const byText = (object: Secret) => [object.metadata.annotations?.['text'] ?? '']
  const informer = new Informer({ client, type: secrets, indexes: { byText } })
  const changes: string[] = []
  informer.onChange((change) =>
    changes.push(`${change.type} ${change.object.metadata.name}${change.before ? ' (known)' : ''}`),
  )
  const signal = new AbortController()
  const done = informer.run(signal.signal)
  stops.push(async () => {
    signal.abort(new Error('over'))
    await done
  })
  return { clock, informer, changes }
}

const names = (objects: readonly Secret[]) => objects.map((o) => o.metadata.name)

describe('informer', () => {
  it('holds the whole set once synced, finds by namespace and index, and follows changes', async () => {
    const server = new FakeWatchServer()
    server.put('a', 'red')
    server.put('b', 'blue')
    const { clock, informer, changes } = informing(server)
    expect(informer.hasSynced).toBe(false)
    await clock.advance(0)
    await informer.synced()
    expect(informer.store.size).toBe(2)
    expect(names(informer.store.list('default'))).toEqual(['a', 'b'])
    expect(informer.store.list('other')).toEqual([])
    expect(names(informer.store.byIndex('byText', 'red'))).toEqual(['a'])
    server.put('a', 'blue')
    server.remove('b')
    await clock.advance(0)
    expect(names(informer.store.byIndex('byText', 'red'))).toEqual([])
    expect(names(informer.store.byIndex('byText', 'blue'))).toEqual(['a'])
    expect(informer.store.get({ namespace: 'default', name: 'b' })).toBeUndefined()
    expect(changes).toEqual(['upserted a', 'upserted b', 'upserted a (known)', 'deleted b (known)'])
    expect(() => informer.store.byIndex('none', 'x')).toThrow('no index named none')
  })

  it('a relist is no news for objects that did not change, and removes what vanished', async () => {
    const server = new FakeWatchServer()
    for (const name of ['a', 'b', 'c']) server.put(name)
    const { clock, informer, changes } = informing(server)
    await clock.advance(0)
    changes.length = 0
    server.cut()
    server.remove('a')
    server.put('b')
    server.compact()
    await clock.advance(5000)
    expect(changes).toEqual(['upserted b (known)', 'deleted a (known)'])
    expect(names(informer.store.list())).toEqual(['c', 'b'])
  })
})

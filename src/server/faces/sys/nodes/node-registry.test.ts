import { expect, it } from 'vitest'
import { systemClock } from '../../../../lib/clock.ts'
import { FakeClock } from '../../../../lib/fake-clock.ts'
import { silentLog } from '../../../../lib/log.ts'
import { systemRandom } from '../../../../lib/random.ts'
import { Barrier } from '../../../barrier/barrier.ts'
import { noGuard } from '../../../contracts/due-rows.ts'
import { StorageDown, StorageFull } from '../../../contracts/storage.ts'
import { TestServer } from '../../../pipeline/test-server.ts'
import { openMemory } from '../../../storage/memory/memory.ts'
import { NodeRegistry } from './node-registry.ts'

const rootKey = () => Buffer.alloc(32, 7)

/** Nodes over one storage, each with the newest format that it knows. `dead`: openings that are not at work any more. */
function setup() {
  const clock = systemClock
  const backend = openMemory({ clock, random: systemRandom })
  const dead = new Set<string>()
  // Of the leader's looks.
  const time = new FakeClock()
  const lines: string[] = []
  const log = {
    ...silentLog,
    info: (event: string, fields?: object) => void lines.push(`${event} ${JSON.stringify(fields)}`),
    warn: (event: string, fields?: object) => void lines.push(`${event} ${JSON.stringify(fields)}`),
  }
  const node = async (name: string, knownFormat: number) => {
    const barrier = new Barrier({ backend, clock, random: systemRandom, log: silentLog, knownFormat })
    if (!(await barrier.initialised())) await barrier.initialise({ rootKey: rootKey(), plain: [] })
    await barrier.unseal(rootKey())
    const registry = new NodeRegistry({
      ...{
        barrier,
        clock: time,
        random: systemRandom,
        log,
        node: name,
        version: '2.6.0',
        cofferVersion: `0.${knownFormat}.0`,
      },
      backend: { announce: async () => name, isAtWork: async (opening) => !dead.has(opening) },
    })
    const join = async () => registry.join(await barrier.now())
    return { barrier, registry, join }
  }
  const rows = () => backend.list('core/nodes/', { depth: 'all', limit: 100 })
  /** As the leader does each second. */
  const look = async (registry: NodeRegistry, seconds: number) => {
    for (let i = 0; i < seconds; i += 1) {
      await time.advance(1000)
      await registry.keepHouse(noGuard)
    }
  }
  return { node, dead, lines, rows, look, time, backend }
}

it('the format is raised when the last older node has left, and not before', async () => {
  const { node, lines } = setup()
  const nodes = [await node('old-1', 1), await node('old-2', 1), await node('new', 2)] as const
  const [first, second, newer] = nodes
  for (const { join } of nodes) await join()
  await first.registry.keepHouse(noGuard)
  for (let i = 0; i < 3; i += 1) await newer.registry.keepHouse(noGuard)
  expect(newer.barrier.format).toBe(1)
  await first.registry.leave()
  await newer.registry.keepHouse(noGuard)
  expect(newer.barrier.format).toBe(1)
  await second.registry.leave()
  await newer.registry.keepHouse(noGuard)
  expect(newer.barrier.format).toBe(2)
  await newer.registry.keepHouse(noGuard)
  const waits = (names: string) =>
    `storage format not raised: older nodes are at work {"from":1,"to":2,"nodes":[${names}]}`
  expect(lines).toEqual([
    waits('"old-1 (0.1.0)","old-2 (0.1.0)"'),
    waits('"old-2 (0.1.0)"'),
    'storage format raised {"from":1,"to":2}',
  ])
})

it('a node that was killed holds nothing up after a minute, its row is swept, and it writes nothing more if it was only asleep', async () => {
  const { node, dead, rows, look } = setup()
  const asleep = await node('asleep', 1)
  const newer = await node('new', 2)
  await asleep.join()
  await newer.join()
  dead.add('asleep')
  await look(newer.registry, 60)
  expect(newer.barrier.format).toBe(1)
  expect(await rows()).toHaveLength(2)
  await look(newer.registry, 1)
  expect(newer.barrier.format).toBe(2)
  expect(await rows()).toHaveLength(1)
  const view = asleep.barrier.view('x/')
  await expect(view.transaction(async (tx) => tx.put(view, 'a', 1))).rejects.toThrow('this node can not write any more')
  await expect(asleep.join()).rejects.toThrow('this node can not write any more')
})

it('a database that was away, and for a moment has heard of nobody, takes no node for gone', async () => {
  const { node, dead, rows, look, time } = setup()
  const old = await node('old', 1)
  const newer = await node('new', 2)
  await old.join()
  await newer.join()
  for (let i = 0; i < 3; i += 1) {
    dead.add('old').add('new')
    await look(newer.registry, 5)
    dead.clear()
    await look(newer.registry, 1)
    await time.advance(120_000)
  }
  // Silent before and after a time of which nothing is known: that is not silent all the time.
  dead.add('old')
  await look(newer.registry, 50)
  await time.advance(120_000)
  await look(newer.registry, 50)
  expect(newer.barrier.format).toBe(1)
  expect(await rows()).toHaveLength(2)
})

it('rows of nodes that end while another leads are removed, too, however many there are', async () => {
  const { node, dead, rows, look, time } = setup()
  const leader = await node('leader', 1)
  await leader.join()
  await look(leader.registry, 1)
  const killed = await node('killed', 1)
  for (let i = 0; i < 3; i += 1) {
    // Each start of it has a row of its own.
    await (await node(`killed-${i}`, 1)).join()
    dead.add(`killed-${i}`)
  }
  await killed.join()
  await time.advance(60_000)
  await look(leader.registry, 61)
  expect(await rows()).toHaveLength(2)
})

it('more than a page of nodes are all counted', async () => {
  const { node, rows } = setup()
  const old = await node('old', 1)
  const newer = await node('new', 2)
  await newer.join()
  const view = newer.barrier.view('core/nodes/')
  const [own = ''] = await rows()
  const row = await newer.barrier.view('core/nodes/').get(own, { parse: (value) => Object(value) })
  for (let from = 0; from < 1100; from += 100) {
    await view.transaction(async (tx) => {
      for (let i = from; i < from + 100; i += 1) tx.put(view, `0-${String(i).padStart(4, '0')}`, row)
    })
  }
  await old.join()
  const last = (await old.registry.list()).length
  expect(last).toBe(1102)
  await view.transaction(async (tx) => tx.put(view, 'z', { ...row, node: 'last', knows: 1 }))
  await old.registry.leave()
  await newer.registry.keepHouse(noGuard)
  expect(newer.barrier.format).toBe(1)
})

it('a node whose row was removed while it was taken for gone writes it anew when it hears of that', async () => {
  const { node, dead, rows, look, backend } = setup()
  const asleep = await node('asleep', 1)
  const leader = await node('leader', 1)
  await asleep.join()
  await leader.join()
  const before = await rows()
  dead.add('asleep')
  await look(leader.registry, 62)
  expect(await rows()).toHaveLength(1)
  dead.clear()
  const changed = before.map((id) => `core/nodes/${id}`)
  await leader.registry.changed(changed)
  await asleep.registry.changed(['core/other'])
  expect(await rows()).toHaveLength(1)
  await asleep.registry.changed(changed)
  expect(await rows()).toEqual(before)
  await asleep.registry.leave()
  await asleep.registry.changed('reset')
  expect(await rows()).toHaveLength(1)
  expect(await backend.list('core/nodes/', { depth: 'all', limit: 10 })).toHaveLength(1)
})

it('a node joins a full storage, and writes its row when there is room', async () => {
  const { node, rows, backend, lines } = setup()
  const one = await node('one', 1)
  const { commit } = backend
  backend.commit = async () => {
    throw new StorageFull('no room')
  }
  await one.join()
  expect(lines).toEqual(['this node is not among the nodes of the cluster until there is room {"error":"no room"}'])
  await one.registry.changed(['core/other'])
  backend.commit = commit
  expect(await rows()).toHaveLength(0)
  await one.registry.changed(['core/other'])
  expect(await rows()).toHaveLength(1)
})

it('a row that could not be removed is the one of the next unsealing', async () => {
  const { node, rows, backend } = setup()
  const one = await node('one', 1)
  await one.join()
  const { commit } = backend
  backend.commit = async () => {
    throw new StorageDown('away')
  }
  await one.registry.leave()
  backend.commit = commit
  expect(await rows()).toHaveLength(1)
  await one.join()
  expect(await rows()).toHaveLength(1)
  await one.registry.leave()
  expect(await rows()).toHaveLength(0)
})

it('a node that joins while the others are counted is not passed over', async () => {
  const { node } = setup()
  const old = await node('old', 1)
  const newer = await node('new', 2)
  await newer.join()
  let looks = 0
  const { barrier } = newer
  const racing = new NodeRegistry({
    ...{
      barrier,
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
      node: 'new',
      version: '',
      cofferVersion: '',
    },
    backend: {
      announce: async () => 'new',
      isAtWork: async () => {
        looks += 1
        // The rows have been listed.
        if (looks === 1) await old.join()
        return true
      },
    },
  })
  await expect(racing.keepHouse(noGuard)).rejects.toMatchObject({ status: 503 })
  await racing.keepHouse(noGuard)
  expect(barrier.format).toBe(1)
  await old.registry.leave()
  await racing.keepHouse(noGuard)
  expect(barrier.format).toBe(2)
})

it('of three nodes with three formats the storage gets the lowest', async () => {
  const { node } = setup()
  await node('first', 1)
  const two = await node('two', 2)
  const three = await node('three', 3)
  await two.join()
  await three.join()
  await three.registry.keepHouse(noGuard)
  expect(three.barrier.format).toBe(2)
  expect((await two.registry.list()).map((row) => [row.node, row.knows])).toEqual([
    ['two', 2],
    ['three', 3],
  ])
})

it('sys/ha-status names every node that is unsealed, and the format that rows are written in', async () => {
  const server = await TestServer.start()
  const other = await server.another()
  const { body } = await other.call('GET', 'sys/ha-status')
  expect(body.data.coffer_storage_format).toBe(1)
  expect(body.nodes).toHaveLength(2)
  expect(body.nodes[0]).toMatchObject({
    active_node: true,
    last_echo: null,
    version: '2.6.0',
    coffer_storage_format: 1,
  })
  await other.core.seal.close()
  expect((await server.call('GET', 'sys/ha-status')).body.nodes).toHaveLength(1)
  expect((await server.call('GET', 'sys/ha-status', undefined, '')).status).toBe(403)
  await server.close()
})

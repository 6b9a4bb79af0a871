/** Servers on PostgreSQL, each behind a network of its own that cuts, delays, falls silent and is gone for a while, under load. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { startServer, type TestServer } from '../e2e/server-process.ts'
import { chanceOf, seed } from '../history/chance.ts'
import { type Clients, startClients } from '../history/clients.ts'
import { kills, killsDeadlineMs } from '../history/kills.ts'
import { expectExplained } from '../history/under-load.ts'
import { type CuttingProxy, startProxy } from '../postgres/cutting-proxy.ts'
import { eventually } from '../postgres/open-storage.ts'
import { type PostgresServer, startPostgres } from '../postgres/postgres-server.ts'

let database: PostgresServer
let name: string
const nodes: TestServer[] = []
const proxies: CuttingProxy[] = []
beforeAll(async () => {
  database = await startPostgres()
  name = await database.newDatabase()
  for (let i = 0; i < 3; i += 1) {
    const proxy = await startProxy(database.port)
    proxies.push(proxy)
    const url = database.url(name).replace(`:${database.port}/`, `:${proxy.port}/`)
    nodes.push(
      await startServer({
        storage: `storage "postgresql" {\n  connection_url = "${url}"\n  max_parallel = 8\n}`,
        joins: nodes[0],
      }),
    )
  }
  await at(0).request('POST', 'sys/mounts/kv', { type: 'kv', options: { version: '2' } })
})
afterAll(async () => {
  await Promise.all(nodes.map((node) => node.close()))
  await Promise.all(proxies.map((proxy) => proxy.close()))
  await database?.close()
})

const at = (i: number) => nodes[i] ?? expect.unreachable()
const leader = async () => (await database.sql("SELECT version FROM coffer_rows WHERE key = 'core/leader'", name))[0]

const eachOnce = ['cut', 'delay', 'silence', 'gone'] as const
type Fault = (typeof eachOnce)[number]

/** Clients are at work on all of them, and each node asks for what has changed: the bytes come. */
async function struckBy(proxy: CuttingProxy, fault: Parameters<CuttingProxy['arm']>[0]): Promise<void> {
  proxy.arm(fault)
  await eventually(() => proxy.struck || undefined, 'the fault')
  proxy.arm(undefined)
}

async function strikeAll(clients: Clients, faults: number): Promise<void> {
  const chance = chanceOf('network')
  const strike: Record<Fault, (proxy: CuttingProxy) => Promise<void>> = {
    /** Some connection, between any two bytes of a request or an answer. */
    cut: async (proxy) => {
      await struckBy(proxy, { kind: 'cut', direction: chance.of(['up', 'down']), after: chance.below(6000) })
    },
    delay: async (proxy) => {
      proxy.delay(chance.below(300))
      await systemClock.sleep(chance.below(1000))
      proxy.delay(0)
    },
    /** One connection gets no answer any more; whoever waits there gives up after a while, the others go on. */
    silence: async (proxy) => {
      await struckBy(proxy, { kind: 'silence', direction: chance.of(['up', 'down']), after: chance.below(3000) })
    },
    /** All connections at once, and no new ones. */
    gone: async (proxy) => {
      proxy.away(true)
      await systemClock.sleep(chance.below(2000))
      proxy.away(false)
    },
  }
  for (let i = 0; i < faults; i += 1) {
    await clients.progress(20)
    await strike[eachOnce[i] ?? chance.weighted({ cut: 8, delay: 2, silence: 1, gone: 3 })](chance.of(proxies))
    if (i % 4 === 3) clients.newKeys()
  }
}

/** Whether another took the lead while these had no database: what they still want to write comes too late. */
async function overtakenWhileAway(clients: Clients, cutOff: readonly CuttingProxy[]): Promise<boolean> {
  const [before, deadline] = [await leader(), systemClock.monotonic() + 20_000]
  for (const proxy of cutOff) proxy.away(true)
  try {
    while (systemClock.monotonic() < deadline) {
      if ((await leader()) !== before) return true
      // Hundreds of unknown outcomes of one key in half a minute are more than can be judged in an hour.
      clients.newKeys()
      await systemClock.sleep(500)
    }
    return false
  } finally {
    for (const proxy of cutOff) proxy.away(false)
  }
}

describe('three servers on PostgreSQL, on a bad network', () => {
  it(
    `lose, tear and mix up nothing that was acknowledged (${kills.network} faults, COFFER_SEED=${seed})`,
    async () => {
      const clients = startClients(nodes, 'kv', 6)
      await strikeAll(clients, kills.network)
      clients.newKeys()
      await clients.progress(30)
      // The leader is among two of them, or it is the third.
      const overtaken =
        (await overtakenWhileAway(clients, proxies.slice(1))) ||
        (await overtakenWhileAway(clients, proxies.slice(0, 1)))
      expect(overtaken).toBe(true)
      const writes = async () => {
        const answers = await Promise.all(nodes.map((node) => node.request('POST', 'kv/data/back', { data: {} })))
        return answers.every(({ status }) => status === 200) || undefined
      }
      await expectExplained(clients, () => eventually(writes, 'writes on all'))
    },
    killsDeadlineMs,
  )
})

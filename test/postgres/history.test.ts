/** Three servers on one database: they and it are killed at random moments under load, and the one that leads is put to sleep. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { startServer, type TestServer, unseal } from '../e2e/server-process.ts'
import { chanceOf, seed } from '../history/chance.ts'
import { type Clients, startClients } from '../history/clients.ts'
import { kills, killsDeadlineMs } from '../history/kills.ts'
import { findUnexplained } from '../history/linearizable.ts'
import { eventually } from './open-storage.ts'
import { type PostgresServer, startPostgres } from './postgres-server.ts'

let database: PostgresServer
const nodes: TestServer[] = []

beforeAll(async () => {
  database = await startPostgres()
  const name = await database.newDatabase()
  const storage = `storage "postgresql" {\n  connection_url = "${database.url(name)}"\n  max_parallel = 8\n}`
  for (let i = 0; i < 3; i += 1) {
    const node = await startServer({ storage, init: i === 0 })
    nodes.push(node)
    if (i === 0) continue
    node.rootToken = nodes[0]?.rootToken ?? ''
    node.unsealKeys = nodes[0]?.unsealKeys ?? []
    await unseal(node)
  }
  await nodes[0]?.request('POST', 'sys/mounts/kv', { type: 'kv', options: { version: '2' } })
})
afterAll(async () => {
  for (const node of nodes) node.child.kill('SIGCONT')
  await Promise.all(nodes.map((node) => node.close()))
  await database?.close()
})

const leader = async () => (await database.sql("SELECT version FROM coffer_rows WHERE key = 'core/leader'", 'd1'))[0]

/** Resolves when the one that leads has beaten since now, so is no node that was killed. */
async function alive() {
  const [now = ''] = await database.sql('SELECT clock_timestamp()::text', 'd1')
  const beaten = `SELECT n.id FROM coffer_rows l JOIN coffer_rows_nodes n ON n.id = convert_from(l.value, 'UTF8')
    WHERE l.key = 'core/leader' AND n.beat > '${now}'`
  await eventually(async () => (await database.sql(beaten, 'd1'))[0], 'a beat of the leader')
}

async function restart(node: TestServer) {
  await node.kill('SIGKILL')
  await node.start()
  await unseal(node)
}

/** Whether another took the lead while they slept: they are woken into whatever they were about to write. */
async function sleepUntilOvertaken(sleepers: readonly TestServer[]): Promise<boolean> {
  await alive()
  const [before, deadline] = [await leader(), systemClock.monotonic() + 16_000]
  for (const { child } of sleepers) child.kill('SIGSTOP')
  try {
    while (systemClock.monotonic() < deadline) {
      if ((await leader()) !== before) return true
      await systemClock.sleep(100)
    }
    return false
  } finally {
    for (const { child } of sleepers) child.kill('SIGCONT')
  }
}

const eachOnce = [0, 1, 2, 'database', 'all servers', 'everything'] as const

/** Each of the three in turn first, so whoever leads is one of them. */
async function killAtRandom(clients: Clients) {
  const chance = chanceOf('postgres')
  const startDatabase = async () => {
    await database.crash()
    await database.start()
  }
  for (let kill = 0; kill < kills.postgres; kill += 1) {
    await clients.progress(30)
    await systemClock.sleep(chance.below(256))
    const what =
      eachOnce[kill] ?? chance.of([0, 1, 2, 0, 1, 2, 'database', 'database', 'all servers', 'everything'] as const)
    if (what === 'database') await startDatabase()
    else if (typeof what === 'number') await Promise.all(nodes.slice(what, what + 1).map(restart))
    else {
      await Promise.all(nodes.map((node) => node.kill('SIGKILL')))
      if (what === 'everything') await startDatabase()
      await Promise.all(nodes.map(restart))
    }
    if (kill % 3 === 2) clients.newKeys()
  }
}

describe('three servers on PostgreSQL, killed under load', () => {
  it(
    `lose, tear and mix up nothing that was acknowledged (${kills.postgres} kills, a leader that sleeps, COFFER_SEED=${seed})`,
    async () => {
      const clients = startClients(nodes, 'kv', 6)
      await killAtRandom(clients)
      clients.newKeys()
      await clients.progress(30)
      // The leader is among two of them, or it is the third.
      const overtaken = (await sleepUntilOvertaken(nodes.slice(1))) || (await sleepUntilOvertaken(nodes.slice(0, 1)))
      expect(overtaken).toBe(true)
      await clients.progress(30)
      await clients.stop()
      await clients.readAll()
      expect(findUnexplained(clients.history)).toBeUndefined()
      const kinds = new Set(clients.history.map(({ told }) => told.kind))
      expect([...kinds].sort()).toEqual(['deleted', 'found', 'refused', 'unknown', 'wrote'])
    },
    killsDeadlineMs,
  )
})

/** Three servers on one database: they and it are killed at random moments under load, and the one that leads is put to sleep. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { type TestServer, unseal } from '../e2e/server-process.ts'
import { chanceOf, seed } from '../history/chance.ts'
import { type Clients, startClients } from '../history/clients.ts'
import { kills, killsDeadlineMs } from '../history/kills.ts'
import { expectExplained, strikeUnderLoad } from '../history/under-load.ts'
import { eventually } from './open-storage.ts'
import { serversOnOne } from './servers-on-one.ts'

const servers = serversOnOne(3, 'max_parallel = 8')
const { nodes, at } = servers

beforeAll(() => at(0).request('POST', 'sys/mounts/kv', { type: 'kv', options: { version: '2' } }))
afterAll(() => {
  for (const node of nodes) node.child.kill('SIGCONT')
})

const leader = async () =>
  (await servers.database.sql("SELECT version FROM coffer_rows WHERE key = 'core/leader'", 'd1'))[0]

/** Resolves when the one that leads has beaten since now, so is no node that was killed. */
async function alive() {
  const [now = ''] = await servers.database.sql('SELECT clock_timestamp()::text', 'd1')
  const beaten = `SELECT n.id FROM coffer_rows l JOIN coffer_rows_nodes n ON n.id = convert_from(l.value, 'UTF8')
    WHERE l.key = 'core/leader' AND n.beat > '${now}'`
  await eventually(async () => (await servers.database.sql(beaten, 'd1'))[0], 'a beat of the leader')
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
    await servers.database.crash()
    await servers.database.start()
  }
  await strikeUnderLoad({ clients, chance, strikes: kills.postgres }, async (kill) => {
    const what =
      eachOnce[kill] ?? chance.of([0, 1, 2, 0, 1, 2, 'database', 'database', 'all servers', 'everything'] as const)
    if (what === 'database') await startDatabase()
    else if (typeof what === 'number') await Promise.all(nodes.slice(what, what + 1).map(restart))
    else {
      await Promise.all(nodes.map((node) => node.kill('SIGKILL')))
      if (what === 'everything') await startDatabase()
      await Promise.all(nodes.map(restart))
    }
  })
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
      await expectExplained(clients)
    },
    killsDeadlineMs,
  )
})

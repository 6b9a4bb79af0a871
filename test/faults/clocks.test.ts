/** Wall clocks that are set while servers run: forwards, backwards, by seconds and by hours. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { startServer, type TestServer } from '../e2e/server-process.ts'
import { alive, until, WorkersNode } from '../e2e/workers-node.ts'
import { chanceOf, seed } from '../history/chance.ts'
import { type Asker, startClients } from '../history/clients.ts'
import { findUnexplained } from '../history/linearizable.ts'
import { eventually } from '../postgres/open-storage.ts'
import { type PostgresServer, startPostgres } from '../postgres/postgres-server.ts'
import { askerOf } from './asker.ts'
import { SteppedClock } from './stepped-clock.ts'

const [secondMs, hourMs] = [1000, 3_600_000]
const folder = mkdtempSync(join(tmpdir(), 'coffer-clocks-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const kv = { type: 'kv', options: { version: '2' } }
const newToken = async (server: Asker, ttl: string): Promise<{ token: string; accessor: string }> => {
  const { json } = await server.request('POST', 'auth/token/create', { policies: ['root'], ttl })
  return { token: json.auth.client_token, accessor: json.auth.accessor }
}
const lookup = async (server: Asker, token: string) =>
  (await server.request('GET', 'auth/token/lookup-self', undefined, token)).status
const ends = (server: Asker, token: string) =>
  eventually(async () => (await lookup(server, token)) === 403 || undefined, 'the end of a token')

/** Resolves when it goes by the clock that was set: else all of this would hold with any clock. */
const believes = (server: Asker, ms: number) =>
  eventually(async () => {
    const { json } = await server.request('GET', 'sys/health', undefined, '')
    return Math.abs(json.server_time_utc * 1000 - systemClock.now() - ms) < 15_000 || undefined
  }, `a clock that is ${ms} ms off`)

describe('two servers on PostgreSQL, one with a clock that is set', () => {
  let database: PostgresServer
  let clock: SteppedClock
  const nodes: TestServer[] = []
  const at = (i: number) => nodes[i] ?? expect.unreachable()
  beforeAll(async () => {
    database = await startPostgres()
    clock = new SteppedClock(folder, 'one')
    const storage = `storage "postgresql" {\n  connection_url = "${database.url(await database.newDatabase())}"\n  max_parallel = 8\n}`
    nodes.push(await startServer({ storage }))
    nodes.push(await startServer({ storage, joins: nodes[0], nodeArgs: clock.args }))
    await at(0).request('POST', 'sys/mounts/kv', kv)
  })
  afterAll(async () => {
    await Promise.all(nodes.map((node) => node.close()))
    await database?.close()
  })

  it.each([20 * secondMs, -20 * secondMs])(
    'end tokens by the time of the database: %i ms are warned of',
    async (ms) => {
      const [long, short] = [await newToken(at(0), '90s'), await newToken(at(1), '4s')]
      try {
        clock.set(ms)
        await believes(at(1), ms)
        // Once for each spell: between this and the next there may have been no look at a right clock.
        await eventually(() => at(1).output().includes('the clock of this machine') || undefined, 'a warning')
        // By a fast clock it would have ended already.
        expect(await lookup(at(1), (await newToken(at(1), '18s')).token)).toBe(200)
        const begun = systemClock.monotonic()
        await ends(at(1), short.token)
        // By a slow clock it would live 20 s longer.
        if (ms < 0) expect(systemClock.monotonic() - begun).toBeLessThan(18_000)
        await ends(at(0), short.token)
        expect([await lookup(at(0), long.token), await lookup(at(1), long.token)]).toEqual([200, 200])
      } finally {
        clock.set(0)
      }
      await believes(at(1), 0)
      await eventually(async () => (await lookup(at(1), long.token)) === 200 || undefined, 'a right clock')
    },
  )

  it.each([120 * secondMs, -2 * hourMs])(
    'serve on but for the one that is %i ms off, until it is right',
    async (ms) => {
      const serves = async (i: number) => (await at(i).request('POST', 'kv/data/clock', { data: {} })).status
      expect(await eventually(async () => (await serves(1)) === 200 || undefined, 'writes')).toBe(true)
      clock.set(ms)
      await eventually(async () => (await serves(1)) === 503 || undefined, 'a refusal')
      expect(await serves(0)).toBe(200)
      clock.set(0)
      await eventually(async () => (await serves(1)) === 200 || undefined, 'writes again')
    },
  )

  it(`lose and mix up nothing while it is set again and again (COFFER_SEED=${seed})`, async () => {
    const chance = chanceOf('clocks')
    const clients = startClients(nodes, 'kv', 6)
    for (let i = 0; i < 20; i += 1) {
      clock.set((chance.below(2) ? 1 : -1) * chance.of([1, 5, 25, 29, 31, 60, 7200]) * secondMs)
      await clients.progress(25)
      if (i % 4 === 3) clients.newKeys()
    }
    clock.set(0)
    await clients.progress(30)
    await clients.stop()
    await eventually(async () => (await lookup(at(1), at(1).rootToken)) === 200 || undefined, 'the other node')
    await clients.readAll()
    expect(findUnexplained(clients.history)).toBeUndefined()
  })
})

describe.runIf(process.platform === 'linux')(
  'a server with two workers over one LMDB, on a machine whose clock is set',
  () => {
    let node: WorkersNode
    let clock: SteppedClock
    let asker: Asker
    beforeAll(async () => {
      clock = new SteppedClock(folder, 'two')
      node = await WorkersNode.start('', 2, clock.args)
      asker = askerOf(node)
      await node.init()
      await node.request('POST', 'sys/mounts/kv', kv)
    })
    afterAll(() => node?.close())

    it(`loses and mixes up nothing, and revives no revoked token (COFFER_SEED=${seed})`, async () => {
      const chance = chanceOf('clocks of workers')
      const clients = startClients([asker], 'kv', 6)
      const revoked: string[] = []
      for (let i = 0; i < 12; i += 1) {
        const { token } = await newToken(asker, '30m')
        expect((await asker.request('POST', 'auth/token/revoke', { token })).status).toBe(204)
        revoked.push(token)
        const ms = (chance.below(2) ? 1 : -1) * chance.of([1, 60, 3600, 86_400]) * secondMs
        clock.set(ms)
        await believes(asker, ms)
        await clients.progress(30)
        if (i % 4 === 3) clients.newKeys()
        for (const one of revoked) expect(await lookup(asker, one)).toBe(403)
      }
      await clients.stop()
      await clients.readAll()
      expect(findUnexplained(clients.history)).toBeUndefined()
    })

    it.each([24 * hourMs, -24 * hourMs])('goes on keeping house, also after a restart: %i ms', async (ms) => {
      clock.set(ms)
      await believes(asker, ms)
      const { token } = await newToken(asker, '2s')
      await ends(asker, token)
      const pids = node.pids()
      await node.end('SIGKILL')
      await until(() => !pids.some(alive), 'workers outlive the first process', 60_000)
      clock.set(-ms)
      await node.run()
      await node.unseal()
      const after = await newToken(asker, '2s')
      expect(await lookup(asker, after.token)).toBe(200)
      const begun = systemClock.monotonic()
      await ends(asker, after.token)
      expect(systemClock.monotonic() - begun).toBeLessThan(60_000)
      // Taken away by the housekeeper, not only refused.
      const gone = async () =>
        (await asker.request('POST', 'auth/token/lookup-accessor', after)).text.includes('invalid accessor') ||
        undefined
      await eventually(gone, 'its removal')
    })
  },
)

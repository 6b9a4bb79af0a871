/** A server on LMDB is killed at random moments under load; what clients were told must be explainable by one order of effects. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { chanceOf, seed } from '../history/chance.ts'
import { startClients } from '../history/clients.ts'
import { kills, killsDeadlineMs } from '../history/kills.ts'
import { findUnexplained } from '../history/linearizable.ts'
import { startServer, type TestServer, unseal } from './server-process.ts'

let server: TestServer
beforeAll(async () => {
  server = await startServer()
  await server.request('POST', 'sys/mounts/kv', { type: 'kv', options: { version: '2' } })
})
afterAll(() => server?.close())

describe('a server on LMDB that is killed under load', () => {
  it(
    `loses, tears and mixes up nothing that it acknowledged (${kills.lmdb} kills, COFFER_SEED=${seed})`,
    async () => {
      const chance = chanceOf('lmdb')
      const clients = startClients([server], 'kv', 6)
      for (let kill = 0; kill < kills.lmdb; kill += 1) {
        await clients.progress(30)
        await systemClock.sleep(chance.below(256))
        await server.kill('SIGKILL')
        await server.start()
        await unseal(server)
        if (kill % 3 === 2) clients.newKeys()
      }
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

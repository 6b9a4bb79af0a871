/** A server on LMDB is killed at random moments under load; what clients were told must be explainable by one order of effects. */
import { afterAll, beforeAll, describe, it } from 'vitest'
import { chanceOf, seed } from '../history/chance.ts'
import { startClients } from '../history/clients.ts'
import { kills, killsDeadlineMs } from '../history/kills.ts'
import { expectExplained, strikeUnderLoad } from '../history/under-load.ts'
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
      await strikeUnderLoad({ clients, chance, strikes: kills.lmdb }, async () => {
        await server.kill('SIGKILL')
        await server.start()
        await unseal(server)
      })
      await expectExplained(clients)
    },
    killsDeadlineMs,
  )
})

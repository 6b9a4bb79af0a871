/** The storage suite on a real PostgreSQL: with itself, and with a second node, as the other writer. */
import { afterAll, beforeAll } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { describeStorage } from '../../src/server/storage/storage.conformance.ts'
import { open } from './open-storage.ts'
import { type PostgresServer, startPostgres } from './postgres-server.ts'

let server: PostgresServer | undefined
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server?.close())

const unsupported = [
  {
    reason: 'nobody moves the clock of the database; storage.test.ts has it with real time',
    tests: ['a beat comes each second with the time of the storage'],
  },
]

describeStorage(
  'postgresql, two nodes',
  async () => {
    if (!server) throw new Error('no server')
    const url = server.url(await server.newDatabase())
    const backend = await open(url)
    const peer = await open(url)
    const close = async () => {
      await peer.close()
      await backend.close()
    }
    return { backend, peer, advance: (ms) => systemClock.sleep(ms), close }
  },
  { unsupported },
)

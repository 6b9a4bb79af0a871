/** Each PostgreSQL that Coffer supports: the storage suite on it, and a server. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { describeStorage } from '../../src/server/storage/storage.conformance.ts'
import { startServer, unseal } from '../e2e/server-process.ts'
import { open, put, textOf } from './open-storage.ts'
import { type PostgresServer, startPostgres } from './postgres-server.ts'
import { postgresBinOf, postgresVersions } from './programs.mjs'

const required = (process.env['COFFER_REQUIRE'] ?? '').split(',').includes('postgres')
const unsupported = [
  {
    reason: 'nobody moves the clock of the database; storage.test.ts has it with real time',
    tests: ['a beat comes each second with the time of the storage'],
  },
]

describe.each(postgresVersions)('PostgreSQL %i', (version) => {
  const bin = postgresBinOf(version)
  if (!bin) {
    // Where CI has forgotten one it must not pass.
    if (required) it('is installed', () => expect.fail(`no PostgreSQL ${version}: \`npm ci --prefix .ci\` brings it`))
    else it.skip(`is not installed: \`npm ci --prefix .ci\` brings it`, () => undefined)
    return
  }
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres({}, bin)
  })
  afterAll(() => server?.close())

  it('is what it is called', async () => {
    const [found = ''] = await server.sql('SHOW server_version_num')
    expect(Math.floor(Number(found) / 10_000)).toBe(version)
  })

  describeStorage(
    'two nodes',
    async () => {
      const url = server.url(await server.newDatabase())
      const [backend, peer] = [await open(url), await open(url)]
      const close = async () => {
        await peer.close()
        await backend.close()
      }
      return { backend, peer, advance: (ms) => systemClock.sleep(ms), close }
    },
    { unsupported },
  )

  it('keeps what was acknowledged when it is killed, and its tables serve the next node', async () => {
    const url = server.url(await server.newDatabase())
    const backend = await open(url)
    expect(await backend.commit(put('a', 'kept'))).toBe('ok')
    await server.crash()
    await server.start()
    await backend.close()
    const again = await open(url)
    expect((await again.read([{ key: 'a' }])).map(textOf)).toEqual(['kept'])
    await again.close()
  })

  it('carries a server, which finds everything when it starts again', async () => {
    const url = server.url(await server.newDatabase())
    const node = await startServer({ storage: `storage "postgresql" {\n  connection_url = "${url}"\n}` })
    try {
      await node.request('POST', 'sys/mounts/kv', { type: 'kv', options: { version: '2' } })
      expect((await node.request('POST', 'kv/data/a', { data: { b: 'c' } })).status).toBe(200)
      expect(await node.kill('SIGTERM')).toBe(0)
      await node.start()
      await unseal(node)
      expect((await node.request('GET', 'kv/data/a')).json.data.data).toEqual({ b: 'c' })
      expect(node.output()).not.toMatch(/"level":"error"/)
    } finally {
      await node.close()
    }
  })
})

/** Three `coffer server`s on one database: each reads and writes, what one does counts on the others at once, any may be killed. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { everythingBelow, startServer, type TestServer, unseal } from '../e2e/server-process.ts'
import { eventually } from './open-storage.ts'
import { type PostgresServer, passwordCanary, startPostgres } from './postgres-server.ts'

let database: PostgresServer
const nodes: TestServer[] = []

beforeAll(async () => {
  database = await startPostgres()
  const name = await database.newDatabase()
  const storage = `storage "postgresql" {\n  connection_url = "${database.url(name)}"\n  max_parallel = 8\n  ha_enabled = "true"\n}`
  // One has its URL from the environment, and its password from a file.
  const environment = { VAULT_PG_CONNECTION_URL: database.url(name).replace(/:[^:@/]*@/, '@') }
  const fromFile = `storage "postgresql" {\n  password = "file://${database.folder}/password"\n  max_parallel = 8\n}`
  nodes.push(await startServer({ storage }))
  nodes.push(await startServer({ storage, joins: nodes[0] }))
  nodes.push(await startServer({ storage: fromFile, env: environment, joins: nodes[0] }))
})
afterAll(async () => {
  await Promise.all(nodes.map((node) => node.close()))
  await database?.close()
})

const [at, others] = [
  (i: number): TestServer => nodes[i % nodes.length] ?? expect.unreachable('no such node'),
  (i: number): TestServer[] => nodes.filter((_, j) => j !== i % nodes.length),
]
const ok = async (answer: ReturnType<TestServer['request']>) => {
  const { status, text, json } = await answer
  expect([status, text]).toEqual([status < 300 ? status : 200, text])
  return json
}

describe('three servers on one database', () => {
  it('are all active: each reads what the others wrote a moment ago', async () => {
    for (const node of nodes) {
      expect((await node.request('GET', 'sys/health')).status).toBe(200)
      expect((await node.request('GET', 'sys/seal-status')).json).toMatchObject({
        sealed: false,
        storage_type: 'postgresql',
      })
    }
    await ok(at(0).request('POST', 'sys/mounts/kv', { type: 'kv', options: { version: '2' } }))
    for (let i = 0; i < 30; i += 1) {
      await ok(at(i).request('POST', `kv/data/k${i}`, { data: { i } }))
      for (const other of others(i)) {
        expect((await other.request('GET', `kv/data/k${i}`)).json.data.data).toEqual({ i })
      }
    }
    expect((await at(1).request('LIST', 'kv/metadata')).json.data.keys).toHaveLength(30)
  })

  it('refuse a token on the very next request after another has revoked it', async () => {
    for (let i = 0; i < 12; i += 1) {
      const created = await ok(at(i).request('POST', 'auth/token/create', { policies: ['default'], ttl: '1h' }))
      const token: string = created.auth.client_token
      for (const node of nodes)
        expect((await node.request('GET', 'auth/token/lookup-self', undefined, token)).status).toBe(200)
      await ok(at(i).request('POST', 'auth/token/revoke', { token }))
      const answers = await Promise.all(
        nodes.map((node) => node.request('GET', 'auth/token/lookup-self', undefined, token)),
      )
      expect(answers.map(({ status }) => status)).toEqual([403, 403, 403])
    }
  })

  it('judge by a changed policy, and find a moved mount, on the very next request', async () => {
    const policy = (capability: string) => ({ policy: `path "kv/data/k1" { capabilities = ["${capability}"] }` })
    await ok(at(0).request('POST', 'sys/policies/acl/reader', policy('read')))
    const created = await ok(at(1).request('POST', 'auth/token/create', { policies: ['reader'] }))
    const token: string = created.auth.client_token
    for (let i = 0; i < 12; i += 1) {
      for (const node of nodes) expect((await node.request('GET', 'kv/data/k1', undefined, token)).status).toBe(200)
      await ok(at(i).request('POST', 'sys/policies/acl/reader', policy('deny')))
      for (const node of nodes) expect((await node.request('GET', 'kv/data/k1', undefined, token)).status).toBe(403)
      await ok(at(i + 1).request('POST', 'sys/policies/acl/reader', policy('read')))
    }
    for (let i = 0; i < 6; i += 1) {
      const [from, to] = i % 2 ? ['moved', 'kv'] : ['kv', 'moved']
      const { migration_id: id } = await ok(at(i).request('POST', 'sys/remount', { from, to }))
      const moved = await eventually(async () => {
        const { json } = await at(i).request('GET', `sys/remount/status/${id ?? ''}`)
        return id === undefined || json?.data?.migration_info?.status === 'success' ? true : undefined
      }, 'the end of the move')
      expect(moved).toBe(true)
      for (const node of nodes) {
        expect((await node.request('GET', `${to}/data/k1`)).json?.data?.data).toEqual({ i: 1 })
        expect((await node.request('GET', `${from}/data/k1`)).status).toBe(404)
      }
    }
  })

  it('lose no acknowledged write while each is killed in turn and the database crashes', async () => {
    const acked = new Map<string, number>()
    let stopped = false
    const client = async (name: string, first: number) => {
      for (let i = 0; !stopped; i += 1) {
        const node = at(first + i)
        const path = `kv/data/load/${name}/${i % 20}`
        try {
          const { status } = await node.request('POST', path, { data: { i } })
          if (status === 200) acked.set(`${name}/${i % 20}`, i)
          else if (status !== 503 && status !== 500) throw new Error(`${status} from ${path}`)
          // One whose outcome is unknown may have won over the last acknowledged one.
          else acked.delete(`${name}/${i % 20}`)
        } catch (error) {
          if (!(error instanceof TypeError)) throw error
          acked.delete(`${name}/${i % 20}`)
          await systemClock.sleep(50)
        }
      }
    }
    const clients = ['a', 'b', 'c', 'd'].map((name, i) => client(name, i))
    for (const node of nodes) {
      await systemClock.sleep(700)
      await node.kill('SIGKILL')
      await node.start()
      await unseal(node)
    }
    await database.crash()
    await database.start()
    const writes = async () => {
      const answers = await Promise.all(nodes.map((node) => node.request('POST', 'kv/data/back', { data: {} })))
      return answers.every(({ status }) => status === 200) ? true : undefined
    }
    await eventually(writes, 'writes on all nodes')
    stopped = true
    await Promise.all(clients)
    expect(acked.size).toBeGreaterThan(20)
    for (const [key, i] of acked) {
      const { json } = await at(i).request('GET', `kv/data/load/${key}`)
      expect([key, json?.data?.data]).toEqual([key, { i }])
    }
  })

  it('keep house on one of them, and on another when that one is killed', async () => {
    const keys = async () => new Set(await database.sql("SELECT convert_from(key, 'UTF8') FROM coffer_rows", 'd1'))
    const leader = async () =>
      (await database.sql("SELECT convert_from(value, 'UTF8') FROM coffer_rows WHERE key = 'core/leader'", 'd1'))[0]
    /** A token that ends by itself is gone from the storage without anyone asking for it. */
    const sweeps = async (node: TestServer) => {
      const before = await keys()
      await ok(node.request('POST', 'auth/token/create', { policies: ['default'], ttl: '1s' }))
      const made = [...(await keys())].filter((key) => !before.has(key) && key.includes('token'))
      expect(made.length).toBeGreaterThan(0)
      await eventually(
        async () => {
          const now = await keys()
          return made.some((key) => now.has(key)) ? undefined : true
        },
        `the sweep of ${made.join(', ')}`,
      )
    }
    await sweeps(at(0))
    const leaders = new Set([await leader()])
    // Whoever leads, it is among those that are killed in one of the two rounds.
    for (const survivor of [0, 1]) {
      await Promise.all(others(survivor).map((node) => node.kill('SIGKILL')))
      await sweeps(at(survivor))
      leaders.add(await leader())
      for (const node of others(survivor)) {
        await node.start()
        await unseal(node)
      }
    }
    expect(leaders.size).toBeGreaterThan(1)
  })

  it('show the password of the database to nobody', async () => {
    const state = await at(0).request('GET', 'sys/config/state/sanitized')
    expect(state.json.data.storage).toMatchObject({ type: 'postgresql' })
    const shown = [state.text, ...nodes.map((node) => node.output())].join('\n')
    expect(shown).not.toContain('canary')
    expect(shown).not.toContain(encodeURIComponent(passwordCanary))
    const files = nodes.flatMap((node) => everythingBelow(node.dir)).filter(({ path }) => !path.endsWith('server.hcl'))
    expect(files.filter(({ text }) => text.includes('canary'))).toEqual([])
  })
})

/** Three servers on one database are replaced, one by one, by a version that knows a newer storage format. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { startServer, type TestServer, unseal } from '../e2e/server-process.ts'
import { buildProgram, nextVersion, type Program } from './build-program.ts'
import { eventually } from './open-storage.ts'
import { type PostgresServer, startPostgres } from './postgres-server.ts'

let database: PostgresServer
let old: Program
let next: Program
const nodes: TestServer[] = []
/** What each of them is now. */
const runs: ('old' | 'next')[] = ['old', 'old', 'next']
const at = (i: number): TestServer => nodes[i % nodes.length] ?? expect.unreachable('no such node')

beforeAll(async () => {
  ;[database, old, next] = await Promise.all([startPostgres(), buildProgram(), buildProgram(nextVersion)])
  const storage = `storage "postgresql" {\n  connection_url = "${database.url(await database.newDatabase())}"\n}`
  for (const i of runs.keys()) {
    const program = () => (runs[i] === 'next' ? next : old).path
    nodes.push(await startServer({ storage, program, joins: nodes[0] }))
  }
})
afterAll(async () => {
  await Promise.all(nodes.map((node) => node.close()))
  await database?.close()
  old?.remove()
  next?.remove()
})

const status = async () => (await at(2).request('GET', 'sys/ha-status')).json
const knows = async (): Promise<number[]> =>
  (await status()).nodes.map((node: { coffer_storage_format: number }) => node.coffer_storage_format).sort()
/** By name, the format that the row of a policy is stored in: its first byte. */
const stored = async (): Promise<string[]> =>
  database.sql(
    "SELECT split_part(convert_from(key, 'UTF8'), '/', 4) || ' ' || get_byte(value, 0) FROM coffer_rows WHERE convert_from(key, 'UTF8') LIKE 'ns/root/password-policy/%' ORDER BY 1",
    'd1',
  )
const policy = (length: number) => ({ policy: `length = ${length}\nrule "charset" {\n  charset = "abcdef"\n}` })
const write = (i: number, name: string, length: number) =>
  at(i).request('POST', `sys/policies/password/${name}`, policy(length))
const read = async (i: number, name: string) => {
  const { status: code, json } = await at(i).request('GET', `sys/policies/password/${name}`)
  return code === 200 ? json.data.policy : code
}

/** Writes on all nodes until it is stopped; only what is acknowledged counts. */
function load() {
  const acknowledged = new Map<string, number>()
  let stopped = false
  const client = async (first: number) => {
    for (let i = 0; !stopped; i += 1) {
      const key = `${first}/${i % 10}`
      try {
        const answer = await at(first + i).request('POST', `kv/data/${key}`, { data: { i } })
        if (answer.status === 200) acknowledged.set(key, i)
        else acknowledged.delete(key)
        if (answer.status !== 200 && answer.status !== 503) throw new Error(`${answer.status} ${answer.text}`)
      } catch (error) {
        if (!(error instanceof TypeError)) throw error
        // One that was being replaced: it may have been written or not.
        acknowledged.delete(key)
      }
      await systemClock.sleep(20)
    }
  }
  const clients = [0, 1, 2].map(client)
  return {
    acknowledged,
    stop: async () => {
      stopped = true
      await Promise.all(clients)
    },
  }
}

describe('a rolling upgrade', () => {
  it('keeps the old format while an older node is at work, and loses nothing', async () => {
    expect((await at(1).request('POST', 'sys/mounts/kv', { type: 'kv', options: { version: '2' } })).status).toBe(204)
    expect(await knows()).toEqual([1, 1, 2])
    expect((await status()).coffer_storage_format).toBe(1)
    for (const i of nodes.keys()) expect((await write(i, `p${i}`, 10 + i)).status).toBe(204)
    for (const i of nodes.keys())
      for (const j of nodes.keys()) expect(await read(j, `p${i}`)).toContain(`length = ${10 + i}`)
    // The older ones change what the newer one has written, and the other way round.
    expect((await write(0, 'p2', 30)).status).toBe(204)
    expect((await write(2, 'p0', 31)).status).toBe(204)
    expect(await stored()).toEqual(['p0 1', 'p1 1', 'p2 1'])

    const { acknowledged, stop } = load()
    for (const i of [0, 1]) {
      // What the leader said of it, whoever that is.
      expect((await status()).coffer_storage_format).toBe(1)
      await at(i).kill('SIGTERM')
      runs[i] = 'next'
      await at(i).start()
      await unseal(at(i))
    }
    await eventually(async () => ((await status()).coffer_storage_format === 2 ? true : undefined), 'the newer format')
    expect(await knows()).toEqual([2, 2, 2])
    await systemClock.sleep(500)
    await stop()
    expect(acknowledged.size).toBeGreaterThan(10)
    for (const [key, i] of acknowledged) {
      const { json } = await at(i).request('GET', `kv/data/${key}`)
      expect([key, json?.data?.data]).toEqual([key, { i }])
    }
    const said = nodes.map((node) => node.output()).join('\n')
    expect(said.split('storage format raised').length).toBe(2)
  })

  it('then writes the newer one on every node, and reads both', async () => {
    for (const i of nodes.keys()) expect((await write(i, `q${i}`, 20 + i)).status).toBe(204)
    for (const i of nodes.keys()) {
      expect(await read(i, 'p1')).toContain('length = 11')
      expect(await read(i, `q${(i + 1) % 3}`)).toContain(`length = ${20 + ((i + 1) % 3)}`)
    }
    expect(await stored()).toEqual(['p0 1', 'p1 1', 'p2 1', 'q0 2', 'q1 2', 'q2 2'])
    const history = (await at(0).request('LIST', 'sys/version-history')).json
    expect(JSON.stringify(history)).toContain('2.6.0')
  })

  it('is not taken back: an older node says why it does not start, and the others serve on', async () => {
    await at(0).kill('SIGTERM')
    runs[0] = 'old'
    await expect(at(0).start()).rejects.toThrow(
      'the storage has format 2, this Coffer knows up to 1: start the version that wrote it, or a newer one',
    )
    expect(await read(1, 'q0')).toContain('length = 20')
    expect((await write(2, 'q1', 40)).status).toBe(204)
    runs[0] = 'next'
    await at(0).start()
    await unseal(at(0))
    expect(await read(0, 'q1')).toContain('length = 40')
  })
})

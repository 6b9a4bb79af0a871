/** A snapshot that is restored by one of two servers on a database: the other forgets its keys and what it knew. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startServer, type TestServer, unseal } from '../e2e/server-process.ts'
import { eventually } from './open-storage.ts'
import { type PostgresServer, startPostgres } from './postgres-server.ts'

let database: PostgresServer
const nodes: TestServer[] = []
const at = (i: number): TestServer => nodes[i] ?? expect.unreachable('no such node')

beforeAll(async () => {
  database = await startPostgres()
  const storage = `storage "postgresql" {\n  connection_url = "${database.url(await database.newDatabase())}"\n}`
  nodes.push(await startServer({ storage }))
  nodes.push(await startServer({ storage, init: false }))
  at(1).rootToken = at(0).rootToken
  at(1).unsealKeys = at(0).unsealKeys
  await unseal(at(1))
})
afterAll(async () => {
  await Promise.all(nodes.map((node) => node.close()))
  await database?.close()
})

describe('a restore by one of two servers on a database', () => {
  it('seals both, and neither knows anything of the time after the snapshot any more', async () => {
    await at(0).request('POST', 'sys/mounts/kv', { type: 'kv' })
    await at(0).request('POST', 'kv/a', { is: 'before' })
    const made = await at(1).request('POST', 'auth/token/create', { policies: ['default'] })
    const revoked: string = made.json.auth.client_token
    const snapshot = await fetch(`${at(0).url}/v1/sys/storage/raft/snapshot`, {
      headers: { 'X-Vault-Token': at(0).rootToken },
    })
    const bytes = await snapshot.arrayBuffer()
    await at(0).request('POST', 'auth/token/revoke', { token: revoked })
    const late: string = (await at(1).request('POST', 'auth/token/create', { policies: ['root'] })).json.auth
      .client_token
    await at(1).request('POST', 'kv/a', { is: 'after' })
    expect((await at(1).request('GET', 'kv/a', undefined, late)).json.data).toEqual({ is: 'after' })

    const answer = await fetch(`${at(0).url}/v1/sys/storage/raft/snapshot`, {
      method: 'POST',
      headers: { 'X-Vault-Token': at(0).rootToken },
      body: bytes,
    })
    expect([answer.status, answer.headers.get('x-coffer-undone')]).toEqual([204, 'tokens=1, leases=0'])
    // The very next request there, whatever it still holds in memory.
    expect((await at(1).request('GET', 'kv/a', undefined, late)).status).toBe(503)
    for (const node of nodes) {
      await eventually(
        async () => (await node.request('GET', 'sys/seal-status')).json.sealed || undefined,
        'the server is sealed',
      )
      await unseal(node)
      expect((await node.request('GET', 'kv/a')).json.data).toEqual({ is: 'before' })
      expect((await node.request('GET', 'kv/a', undefined, late)).status).toBe(403)
      expect((await node.request('GET', 'auth/token/lookup-self', undefined, revoked)).status).toBe(200)
      expect(node.output()).toContain('this storage was restored')
    }
  })
})

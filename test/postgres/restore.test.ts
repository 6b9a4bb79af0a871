/** A snapshot that is restored by one of two servers on a database: the other forgets its keys and what it knew. */
import { describe, expect, it } from 'vitest'
import { unseal } from '../e2e/server-process.ts'
import { eventually } from './open-storage.ts'
import { serversOnOne } from './servers-on-one.ts'

const { nodes, at } = serversOnOne(2)

describe('a restore by one of two servers on a database', () => {
  it('seals both, and neither knows anything of the time after the snapshot any more', async () => {
    await at(0).request('POST', 'sys/mounts/kv', { type: 'kv' })
    await at(0).request('POST', 'kv/a', { is: 'before' })
    const made = await at(1).request('POST', 'auth/token/create', { policies: ['default'] })
    const { client_token: revoked, accessor }: { client_token: string; accessor: string } = made.json.auth
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
    expect(await answer.json()).toMatchObject({
      data: { undone: { tokens: { count: 1, named: [accessor], unnamed: 0 } } },
    })
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

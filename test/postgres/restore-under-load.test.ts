/** A restore by one of three servers on a database while the others write: nothing of the time after the snapshot is left. */
import { describe, expect, it } from 'vitest'
import { unseal } from '../e2e/server-process.ts'
import { eventually } from './open-storage.ts'
import { serversOnOne } from './servers-on-one.ts'

const servers = serversOnOne(3)
const { nodes, at } = servers

const leader = async () =>
  (await servers.database.sql("SELECT convert_from(value, 'UTF8') FROM coffer_rows WHERE key = 'core/leader'", 'd1'))[0]
const generation = async () =>
  servers.database.sql("SELECT version FROM coffer_rows WHERE key = 'core/generation'", 'd1')

describe('a restore by one of three servers', () => {
  it('mixes nothing of what the others are writing into the rows of the snapshot, three times', async () => {
    await at(0).request('POST', 'sys/mounts/kv', { type: 'kv', options: { version: '2' } })
    await at(0).request('POST', 'kv/data/kept', { data: { is: 'before' } })
    const answer = await fetch(`${at(0).url}/v1/sys/storage/raft/snapshot`, {
      headers: { 'X-Vault-Token': at(0).rootToken },
    })
    const snapshot = await answer.arrayBuffer()
    for (let round = 0; round < 3; round += 1) {
      const restorer = at(round)
      const others = nodes.filter((node) => node !== restorer)
      let written = 0
      const writers = others.flatMap((node, n) =>
        [0, 1, 2, 3].map(async (worker) => {
          for (let i = 0; ; i += 1) {
            const { status } = await node.request('POST', `kv/data/late/${n}-${worker}-${i}`, { data: { i } })
            if (status === 200) written += 1
            else return status
          }
        }),
      )
      await eventually(() => (written > 50 ? true : undefined), 'writes on the others')
      const before = await generation()
      const restored = await fetch(`${restorer.url}/v1/sys/storage/raft/snapshot`, {
        method: 'POST',
        headers: { 'X-Vault-Token': restorer.rootToken },
        body: snapshot,
      })
      expect(restored.status).toBe(204)
      // Whatever was being written ends with "sealed", and with nothing else.
      expect(new Set(await Promise.all(writers))).toEqual(new Set([503]))
      expect(await generation()).not.toEqual(before)
      for (const node of nodes) {
        await eventually(
          async () => (await node.request('GET', 'sys/seal-status')).json.sealed || undefined,
          'the server is sealed',
        )
      }
      for (const node of nodes) await unseal(node)
      for (const node of nodes) {
        expect((await node.request('LIST', 'kv/metadata')).json.data.keys).toEqual(['kept'])
        expect((await node.request('GET', 'kv/data/kept')).json.data.data).toEqual({ is: 'before' })
      }
    }
  })

  it('lets one of them lead anew, which ends what is due', async () => {
    expect(await eventually(leader, 'a leader')).not.toBe('')
    const made = await at(1).request('POST', 'auth/token/create', { policies: ['default'], ttl: '1s' })
    const token: string = made.json.auth.client_token
    const { accessor } = made.json.auth
    await eventually(async () => {
      const { status } = await at(2).request('POST', 'auth/token/lookup-accessor', { accessor })
      return status === 200 ? undefined : true
    }, 'the end of the token')
    expect((await at(0).request('GET', 'auth/token/lookup-self', undefined, token)).status).toBe(403)
    expect((await at(0).request('GET', 'sys/ha-status')).json.nodes).toHaveLength(3)
  })
})

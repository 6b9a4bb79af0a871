import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemRandom } from '../../lib/random.ts'
import { TestServer } from '../pipeline/test-server.ts'
import { openMemory } from '../storage/memory/memory.ts'

let server: TestServer
/** Runs once after a commit that changes a namespace's row. */
let afterMark: (() => Promise<unknown>) | undefined
beforeEach(async () => {
  afterMark = undefined
  server = await TestServer.start((clock) => {
    const backend = openMemory({ clock, random: systemRandom })
    const commit = backend.commit.bind(backend)
    return Object.assign(backend, {
      commit: async (c: Parameters<typeof commit>[0]) => {
        const outcome = await commit(c)
        const run = c.put?.some(({ key }) => key.startsWith('core/namespaces/')) ? afterMark : undefined
        if (run) afterMark = undefined
        await run?.()
        return outcome
      },
    })
  })
  await server.call('POST', 'sys/namespaces/team', {})
})
afterEach(() => server.close())

const within = (namespace: string, method: string, path: string, body?: unknown, token?: string, more = {}) =>
  server.call(method, path, body, token, { 'X-Vault-Namespace': namespace, ...more })
const remake = async () => {
  expect((await server.call('DELETE', 'sys/namespaces/team')).status).toBe(204)
  expect((await server.call('POST', 'sys/namespaces/team', {})).status).toBe(200)
}
const badToken = { status: 403, body: { errors: ['permission denied'] } }

describe('a namespace that was deleted and made again', () => {
  it.each(['batch', 'service'])('knows no %s token of the one before, used or not', async (type) => {
    const token = async () =>
      (await within('team', 'POST', 'auth/token/create', { type, policies: ['default'], ttl: '1h' })).body.auth
        .client_token
    const [used, fresh] = [await token(), await token()]
    expect((await within('team', 'GET', 'auth/token/lookup-self', undefined, used)).status).toBe(200)
    await remake()
    for (const old of [used, fresh]) {
      expect(await within('team', 'GET', 'auth/token/lookup-self', undefined, old)).toMatchObject(badToken)
      expect(await within('team', 'PUT', 'cubbyhole/x', { a: 'b' }, old)).toMatchObject(badToken)
      const asked = await within('team', 'POST', 'auth/token/lookup', { token: old })
      expect([asked.status, asked.text.includes('policies')]).toEqual([403, false])
    }
  })

  it('opens no wrapping token, lease or accessor of the one before, from within or above', async () => {
    await within('team', 'POST', 'sys/mounts/kv', { type: 'test' })
    const lease = (await within('team', 'GET', 'kv/creds/c1')).body.lease_id
    const { accessor } = (await within('team', 'POST', 'auth/token/create', { policies: ['default'] })).body.auth
    const wrapped = await within('team', 'POST', 'sys/wrapping/wrap', { secret: 'canary' }, undefined, {
      'X-Vault-Wrap-TTL': '1h',
    })
    const { token } = wrapped.body.wrap_info
    await remake()
    for (const namespace of ['team', 'root']) {
      for (const [path, body] of [
        ['sys/wrapping/unwrap', { token }],
        ['sys/wrapping/lookup', { token }],
        ['sys/leases/lookup', { lease_id: lease }],
        ['auth/token/lookup-accessor', { accessor }],
      ] as const) {
        const answer = await within(namespace, 'POST', path, body)
        expect([namespace, path, answer.status >= 400, answer.text.includes('canary')]).toEqual([
          namespace,
          path,
          true,
          false,
        ])
      }
    }
  })
})

describe('from the moment when a namespace is marked as deleted', () => {
  it('what was wrapped in it is not opened from above either', async () => {
    const seen: number[] = []
    // From the mark on, before the sweep comes to its tokens.
    afterMark = async () => {
      const wrapping = await within('root', 'POST', 'sys/wrapping/lookup', { token: wrap.token })
      seen.push(wrapping.status, (await within('root', 'POST', 'sys/wrapping/unwrap', { token: wrap.token })).status)
    }
    const wrap = (
      await within('team', 'POST', 'sys/wrapping/wrap', { secret: 'canary' }, undefined, { 'X-Vault-Wrap-TTL': '1h' })
    ).body.wrap_info
    expect((await server.call('DELETE', 'sys/namespaces/team')).status).toBe(204)
    expect(seen).toEqual([400, 400])
  })
})

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type StorageBackend, StorageDown } from '../contracts/storage.ts'
import { TestServer } from '../pipeline/test-server.ts'

let one: TestServer
let two: TestServer
beforeEach(async () => {
  one = await TestServer.start()
  two = await one.another()
  // It has served before: what it knows is what there was then.
  expect((await two.call('GET', 'sys/mounts')).status).toBe(200)
})
afterEach(async () => {
  await two.close()
  await one.close()
})

const make = (name: string, server = one) => server.call('POST', `sys/namespaces/${name}`, {})
const within = (server: TestServer, namespace: string, method: string, path: string, body?: unknown, token?: string) =>
  server.call(method, path, body, token, { 'X-Vault-Namespace': namespace })

/** Commits that conflict wait for a while before they are tried again. */
async function both<T extends readonly unknown[]>(asked: { [K in keyof T]: Promise<T[K]> }): Promise<T> {
  let done = false
  const all = Promise.all(asked).finally(() => {
    done = true
  })
  while (!done) await one.clock.advance(20)
  return (await all) as unknown as T
}

describe('another process over the same storage', () => {
  it('finds a namespace by header on the first request after it was made', async () => {
    await make('team')
    expect((await within(two, 'team', 'GET', 'sys/mounts')).status).toBe(200)
    await within(one, 'team', 'POST', 'sys/namespaces/app', {})
    expect((await within(two, 'team/app', 'GET', 'sys/mounts')).status).toBe(200)
    expect((await within(two, 'team/nope', 'GET', 'sys/mounts')).status).toBe(404)
  })

  it('refuses at once what a lock, a deletion, a policy or a revoked parent forbids', async () => {
    await make('team')
    const rule = (name: string, capability: string) =>
      within(one, 'team', 'PUT', 'sys/policies/acl/own', {
        policy: `path "${name}" { capabilities = ["${capability}"] }`,
      })
    await rule('sys/mounts', 'read')
    const parent = (await within(one, 'team', 'POST', 'auth/token/create', { policies: ['own'] })).body.auth
      .client_token
    const tokens = new Map<string, string>()
    await rule('auth/token/create', 'update')
    for (const type of ['service', 'batch']) {
      const made = await within(one, 'team', 'POST', 'auth/token/create', { type }, parent)
      tokens.set(type, made.body.auth.client_token)
    }
    await rule('sys/mounts', 'read')
    const asked = async () => {
      const all = []
      for (const token of tokens.values())
        all.push((await within(two, 'team', 'GET', 'sys/mounts', undefined, token)).status)
      return all
    }
    expect(await asked()).toEqual([200, 200])
    await rule('sys/mounts', 'deny')
    expect(await asked()).toEqual([403, 403])
    await rule('sys/mounts', 'read')
    const { unlock_key } = (await one.call('PUT', 'sys/namespaces/api-lock/lock/team')).body.data
    expect(await asked()).toEqual([503, 503])
    await one.call('PUT', 'sys/namespaces/api-lock/unlock/team', { unlock_key })
    expect(await asked()).toEqual([200, 200])
    await within(one, 'team', 'POST', 'auth/token/revoke', { token: parent })
    expect(await asked()).toEqual([403, 403])
  })

  it.each(['service', 'batch'])(
    'refuses in a child the %s token of a login whose mount in the parent is gone',
    async (type) => {
      await make('team')
      await one.call('POST', 'sys/auth/door', { type: 'door', config: { token_type: type } })
      await one.policy('rw', 'path "team/sys/mounts" { capabilities = ["read"] }')
      const token = (await one.call('POST', 'auth/door/login', { name: 'a' }, '')).body.auth.client_token
      const status = async () => (await within(two, 'team', 'GET', 'sys/mounts', undefined, token)).status
      expect(await status()).toBe(200)
      await one.call('DELETE', 'sys/auth/door')
      expect(await status()).toBe(403)
    },
  )

  it('makes a namespace or a mount at a path, never both, when each is asked for one', async () => {
    for (let i = 0; i < 10; i += 1) {
      const [namespace, mount] = await both([make(`p${i}`), two.call('POST', `sys/mounts/p${i}`, { type: 'test' })])
      expect([namespace.status, mount.status].filter((status) => status < 300)).toHaveLength(1)
    }
  })

  it('makes one namespace when both are asked for the same', async () => {
    const [a, b] = await both([make('team'), make('team', two)])
    expect([a.status, b.status]).toEqual([200, 200])
    expect(a.body.data.id).toBe(b.body.data.id)
  })

  it('moves no mount onto a namespace that is just being made', async () => {
    for (let i = 0; i < 10; i += 1) {
      await one.call('POST', `sys/mounts/m${i}`, { type: 'test' })
      const [namespace, moved] = await both([
        make(`p${i}`),
        two.call('POST', 'sys/remount', { from: `m${i}`, to: `p${i}` }),
      ])
      expect([namespace.status, moved.status].filter((status) => status < 300)).toHaveLength(1)
    }
  })
})

describe('a deletion that is cut off', () => {
  /** A namespace with something of every kind. */
  async function filled() {
    const { id } = (await make('team')).body.data
    await within(one, 'team', 'POST', 'sys/mounts/kv', { type: 'test' })
    await within(one, 'team', 'POST', 'kv/row/a', { n: 1 })
    await within(one, 'team', 'PUT', 'sys/policies/acl/own', { policy: 'path "*" { capabilities = ["read", "sudo"] }' })
    const token = async (type: string) =>
      (await within(one, 'team', 'POST', 'auth/token/create', { type, policies: ['own'] })).body.auth.client_token
    const tokens = [await token('batch'), await token('service')]
    for (const t of tokens) expect((await within(one, 'team', 'GET', 'kv/creds/c1', undefined, t)).status).toBe(200)
    const { uuid } = (await within(one, 'team', 'GET', 'sys/mounts')).body.data['kv/']
    return { id, uuid, tokens }
  }

  async function leftOf(id: string, uuid: string): Promise<string[]> {
    const rows = []
    for (const prefix of [`ns/${id}/`, `mnt/${uuid}/`, 'core/removals/', 'core/namespaces/']) {
      rows.push(...(await one.backend.list(prefix, { depth: 'all', limit: 100 })).map((name) => prefix + name))
    }
    return rows
  }

  it('at any of its writes is finished by whoever leads, and nothing of it answers meanwhile', async () => {
    let deaths = 0
    for (const when of ['before', 'after'] as const) {
      for (let at = 0; ; at += 1) {
        const { id, uuid, tokens } = await filled()
        const mortal = new Mortal(one.backend)
        const dying = await mortal.server()
        mortal.dieAt(at, when)
        const answer = await dying.call('DELETE', 'sys/namespaces/team')
        if (at > 0 || when === 'after') {
          for (const token of tokens) {
            expect((await within(two, 'team', 'GET', 'kv/row/a', undefined, token)).status).toBe(404)
          }
        } else expect((await two.call('DELETE', 'sys/namespaces/team')).status).toBe(204)
        const rows: string[] = await leftOf(id, uuid)
        // What the dead process held of a lease is held for 90 s.
        for (let i = 0; i < 120 && rows.length > 0; i += 1) {
          await one.clock.advance(1000)
          rows.splice(0, rows.length, ...(await leftOf(id, uuid)))
        }
        expect([when, at, rows, [...one.world.alive]]).toEqual([when, at, [], []])
        if (answer.status === 204) break
        deaths += 1
      }
    }
    expect(deaths).toBeGreaterThan(20)
  }, 60_000)
})

/** A storage whose process dies at its write number `at` from now on. */
class Mortal {
  readonly #backend: StorageBackend
  #left = Number.POSITIVE_INFINITY
  #when: 'before' | 'after' = 'before'
  #dead = false

  constructor(backend: StorageBackend) {
    this.#backend = backend
  }

  dieAt(at: number, when: 'before' | 'after'): void {
    this.#left = at
    this.#when = when
  }

  async server(): Promise<TestServer> {
    const { clock, world, device, root, key } = one
    const shell = new TestServer(() => this.#storage())
    Object.assign(shell, { clock, world, device, root, key })
    return shell.another()
  }

  #storage(): StorageBackend {
    const backend = this.#backend
    return {
      type: backend.type,
      limits: backend.limits,
      read: (keys) => this.#reading(() => backend.read(keys)),
      list: (prefix, page) => this.#reading(() => backend.list(prefix, page)),
      commit: (commit) => this.#writing(() => backend.commit(commit)),
      clear: (prefix, limit) => this.#writing(() => backend.clear(prefix, limit)),
      snapshot: (signal) => backend.snapshot(signal),
      load: (rows) => backend.load(rows),
      replace: (rows, bytes) => backend.replace(rows, bytes),
      now: () => backend.now(),
      changes: (signal) => backend.changes(signal),
      lead: async () => undefined,
      announce: () => backend.announce(),
      isAtWork: (opening) => backend.isAtWork(opening),
      close: async () => undefined,
    }
  }

  async #reading<T>(work: () => Promise<T>): Promise<T> {
    if (this.#dead) throw new StorageDown('the process died here')
    return work()
  }

  async #writing<T>(work: () => Promise<T>): Promise<T> {
    const last = this.#left === 0
    this.#left -= 1
    if (last && this.#when === 'before') this.#dead = true
    const outcome = await this.#reading(work)
    if (last) this.#dead = true
    return this.#reading(async () => outcome)
  }
}

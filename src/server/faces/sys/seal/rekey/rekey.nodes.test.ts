import { afterEach, expect, it } from 'vitest'
import { systemRandom } from '../../../../../lib/random.ts'
import type { StorageBackend } from '../../../../contracts/storage.ts'
import { staticSeal } from '../../../../seal/static/static.ts'
import { crashing } from '../../../../storage/test-crashing.ts'
import { SealServer } from '../test-seal-server.ts'

const servers: SealServer[] = []
const track = (server: SealServer) => {
  servers.push(server)
  return server
}
afterEach(async () => {
  for (const each of servers.splice(0)) await each.close()
})

/** Runs `meanwhile` between the moment that the next reader gets the row and what it does with it. */
function interrupted(backend: StorageBackend, row = 'core/seal-config') {
  const hook: { meanwhile?: (() => Promise<void>) | undefined } = {}
  const read: StorageBackend['read'] = async (keys) => {
    const found = await backend.read(keys)
    const { meanwhile } = hook
    if (!meanwhile || keys.length !== 1 || keys[0]?.key !== row) return found
    hook.meanwhile = undefined
    await meanwhile()
    return found
  }
  return {
    hook,
    backend: new Proxy(backend, {
      get: (of, name) => (name === 'read' ? read : (Reflect.get(of, name)?.bind?.(of) ?? Reflect.get(of, name))),
    }),
  }
}

async function rekey(on: SealServer, present: readonly string[], body: Record<string, unknown>): Promise<string[]> {
  const { nonce } = (await on.call('PUT', 'sys/rekey/init', body, '')).body
  let keys: string[] = []
  for (const key of present) {
    const { body: made } = await on.call('PUT', 'sys/rekey/update', { key, nonce }, '')
    keys = made.keys ?? keys
  }
  return keys
}

const opens = async (server: SealServer, keys: readonly string[]) => {
  const next = track(server.another())
  await next.unseal(keys)
  return !(await next.sealed())
}

it('a node that forgets the keys before the last rekey does not undo a rekey of another node', async () => {
  const one = track(new SealServer())
  const first: string[] = (await one.init({ secret_shares: 1, secret_threshold: 1 })).body.keys
  const { hook, backend } = interrupted(one.backend)
  const slow = track(one.another(undefined, backend))
  await slow.unseal(first)
  await one.unseal(first)
  const second = await rekey(slow, first, { secret_shares: 3, secret_threshold: 2 })
  let third: string[] = []
  const done = new Promise<void>((resolve) => {
    hook.meanwhile = async () => {
      third = await rekey(one, second.slice(0, 2), { secret_shares: 5, secret_threshold: 4 })
      resolve()
    }
  })
  await slow.clock.advance(31_000)
  await done
  await slow.clock.advance(1000)
  expect(third).toHaveLength(5)
  expect((await one.call('GET', 'sys/seal-status', undefined, '')).body).toMatchObject({ t: 4, n: 5 })
  expect(await opens(one, third.slice(0, 4))).toBe(true)
})

it('two nodes that hand out new keys at the same time: one is refused, the keys of the other open', async () => {
  const one = track(new SealServer())
  const first: string[] = (await one.init({ secret_shares: 1, secret_threshold: 1 })).body.keys
  const { hook, backend } = interrupted(one.backend, 'core/root-key')
  const slow = track(one.another(undefined, backend))
  await slow.unseal(first)
  await one.unseal(first)
  const { nonce } = (await slow.call('PUT', 'sys/rekey/init', { secret_shares: 3, secret_threshold: 2 }, '')).body
  let fresh: string[] = []
  // The row is read to know what is there, and then to check the shares.
  hook.meanwhile = async () => {
    hook.meanwhile = async () => {
      await one.call('DELETE', 'sys/rekey/init', undefined, '')
      fresh = await rekey(one, first, { secret_shares: 5, secret_threshold: 4 })
    }
  }
  const late = await slow.call('PUT', 'sys/rekey/update', { key: first[0], nonce }, '')
  expect(late).toMatchObject({ status: 503, body: { errors: [expect.stringContaining('changed by another node')] } })
  expect(fresh).toHaveLength(5)
  expect(await opens(one, fresh.slice(0, 4))).toBe(true)
})

it('a seal whose key was replaced wraps no root key that another node has just replaced', async () => {
  const sealOf = (...ids: string[]) => {
    const [current, previous] = ids.map((id) => ({ id, key: Buffer.alloc(32, id) }))
    if (!current) throw new Error('no key')
    return { current: staticSeal({ current, ...(previous ? { previous } : {}), random: systemRandom }) }
  }
  const one = track(new SealServer({ seals: sealOf('a') }))
  await one.init({})
  const { hook, backend } = interrupted(one.backend)
  const slow = track(one.another(sealOf('b', 'a'), backend))
  let rotated = 0
  // The reads of the seal's row at a start: the first decides that the seal fits, the next belongs to the rewrapping.
  hook.meanwhile = async () => {
    hook.meanwhile = async () => {
      rotated = (await one.call('PUT', 'sys/rotate/root')).status
    }
  }
  await slow.core.seal.start()
  expect(rotated).toBe(204)
  const next = track(one.another(sealOf('b', 'a')))
  await next.core.seal.start()
  expect(await next.sealed()).toBe(false)
})

it('whose answer was lost leaves the keys before able to do all that keys can do', async () => {
  const one = track(new SealServer())
  const first: string[] = (await one.init({ secret_shares: 3, secret_threshold: 2 })).body.keys
  // The commit of the new keys is there, and the process is gone before it could answer.
  for (let at = 0; ; at += 1) {
    const dying = track(one.another(undefined, crashing(one.backend, at, 'after')))
    await dying.unseal(first.slice(0, 2))
    await rekey(dying, first.slice(0, 2), { secret_shares: 5, secret_threshold: 4 }).catch(() => [])
    if ((await one.call('GET', 'sys/seal-status', undefined, '')).body.n === 5) break
    await track(one).unseal(first.slice(0, 2))
    await one.call('DELETE', 'sys/rekey/init', undefined, '')
    expect(at).toBeLessThan(50)
  }
  const next = track(one.another())
  await next.unseal(first.slice(0, 2))
  expect(await next.sealed()).toBe(false)
  const { nonce } = (await next.call('PUT', 'sys/generate-root/attempt', {}, '')).body
  await next.call('PUT', 'sys/generate-root/update', { key: first[0], nonce }, '')
  const root = await next.call('PUT', 'sys/generate-root/update', { key: first[2], nonce }, '')
  expect(root).toMatchObject({ status: 200, body: { complete: true } })
  await next.call('DELETE', 'sys/rekey/init', undefined, '')
  const fresh = await rekey(next, first.slice(1), { secret_shares: 2, secret_threshold: 2 })
  expect(fresh).toHaveLength(2)
  expect(await opens(one, first.slice(0, 2))).toBe(true)
  expect(await opens(one, fresh)).toBe(true)
  expect(await opens(one, first.slice(0, 2))).toBe(false)
})

import { afterEach, describe, expect, it } from 'vitest'
import type { FakeClock } from '../../../../lib/fake-clock.ts'
import { systemRandom } from '../../../../lib/random.ts'
import type { StorageBackend } from '../../../contracts/storage.ts'
import { TestServer } from '../../../pipeline/test-server.ts'
import { openMemory } from '../../../storage/memory/memory.ts'
import { crashing } from '../../../storage/test-crashing.ts'

const opened: TestServer[] = []
afterEach(async () => {
  for (const server of opened.splice(0)) await server.close()
})

/** What was acknowledged before the process died. */
interface Life {
  key?: string
  root?: string
  mounted?: boolean
  written?: boolean
  token?: string
  revoked?: boolean
  unmounted?: boolean
}

/** A server's first day. Stops at the first answer that is not a success. */
async function live(server: TestServer): Promise<Life> {
  const life: Life = {}
  const ok = async (method: string, path: string, body: unknown, token: string) => {
    const answer = await server.call(method, path, body, token)
    if (answer.status >= 300) throw new Error(`${path}: ${answer.status}`)
    return answer.body
  }
  try {
    const init = await ok('PUT', 'sys/init', { secret_shares: 1, secret_threshold: 1 }, '')
    const [key, root] = [init.keys[0], init.root_token]
    Object.assign(life, { key, root })
    await ok('PUT', 'sys/unseal', { key }, '')
    await ok('POST', 'sys/mounts/test', { type: 'test' }, root)
    life.mounted = true
    await ok('POST', 'test/row/a', { v: '1' }, root)
    life.written = true
    const made = await ok('POST', 'auth/token/create', { policies: ['root'], ttl: '1h' }, root)
    life.token = made.auth.client_token
    await ok('POST', 'auth/token/revoke', { token: made.auth.client_token }, root)
    life.revoked = true
    await ok('DELETE', 'sys/mounts/test', undefined, root)
    life.unmounted = true
  } catch {
    // The process is dead: what it acknowledged is all that counts.
  }
  return life
}

async function crashAt(at: number, when: 'before' | 'after') {
  let memory: StorageBackend | undefined
  const dying = new TestServer((clock: FakeClock) => {
    memory = openMemory({ clock, random: systemRandom })
    return crashing(memory, at, when)
  })
  opened.push(dying)
  const life = await live(dying)
  const next = new TestServer(() => memory as StorageBackend)
  opened.push(next)
  return { life, next }
}

describe('a process that dies at any commit of its first day', () => {
  it('leaves nothing half done: what was acknowledged holds, the rest is whole or not there', async () => {
    let at = 0
    // A death after the last commit happens to nobody: then every one has been tried.
    while (!(await checkCrash(at, 'before'))) {
      await checkCrash(at, 'after')
      at += 1
    }
    expect(at).toBeGreaterThan(6)
  })
})

/** True when the whole day passed before the process would have died. */
async function checkCrash(at: number, when: 'before' | 'after'): Promise<boolean> {
  const { life, next } = await crashAt(at, when)
  const where = `commit ${at}, ${when}`
  const call = (method: string, path: string, body?: unknown, token = life.root ?? '') =>
    next.call(method, path, body, token)
  const { initialized } = (await call('GET', 'sys/init', undefined, '')).body
  if (!life.key) {
    // Nobody has the shares of an initialisation that was not answered; one that did not happen can be had again.
    if (!initialized) expect((await live(next)).unmounted, where).toBe(true)
    else expect((await call('PUT', 'sys/unseal', { key: 'ab'.repeat(33) }, '')).status, where).toBe(400)
    return false
  }
  expect(initialized, where).toBe(true)
  expect((await call('PUT', 'sys/unseal', { key: life.key }, '')).body.sealed, where).toBe(false)
  expect((await call('GET', 'auth/token/lookup-self')).status, where).toBe(200)
  const mounts = Object.keys((await call('GET', 'sys/mounts')).body.data)
  if (life.unmounted) expect(mounts, where).not.toContain('test/')
  else if (life.mounted && !life.revoked) expect(mounts, where).toContain('test/')
  if (mounts.includes('test/')) {
    const row = await call('GET', 'test/row/a')
    expect(life.written ? [200] : [200, 404], where).toContain(row.status)
  }
  if (life.token) {
    const status = (await call('GET', 'auth/token/lookup-self', undefined, life.token)).status
    expect(life.revoked ? [403] : [200, 403], where).toContain(status)
  }
  // Whatever was cut off can be done again.
  await call('DELETE', 'sys/mounts/test')
  expect((await call('POST', 'sys/mounts/test', { type: 'test' })).status, where).toBe(204)
  expect((await call('GET', 'test/row/a')).status, where).toBe(404)
  return life.unmounted === true
}

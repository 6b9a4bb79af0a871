/** The same promises where storage is memory of this process (LMDB) and a request's one question needs no promise. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { FakeClock } from '../../../lib/fake-clock.ts'
import { silentLog } from '../../../lib/log.ts'
import { systemRandom } from '../../../lib/random.ts'
import type { StorageBackend } from '../../contracts/storage.ts'
import { openLmdb } from '../../storage/lmdb/lmdb.ts'
import { TestServer } from '../test-server.ts'

const scratch = mkdtempSync(join(tmpdir(), 'coffer-at-once-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

let count = 0
let backend: StorageBackend
let server: TestServer
beforeEach(async () => {
  count += 1
  const fatal = (error: Error) => expect.unreachable(error.message)
  const path = join(scratch, String(count))
  const clock = new FakeClock()
  backend = await openLmdb({ path, clock, random: systemRandom, log: silentLog, check: 'done', fatal, minFreeBytes: 0 })
  server = await TestServer.start(() => backend)
})
afterEach(async () => {
  await server.close()
  await backend.close()
})

async function reader(path = 'test/*'): Promise<string> {
  await server.policy('p', `path "${path}" { capabilities = ["read"] }`)
  return server.token(['p'])
}

describe('a request whose authority is read at once', () => {
  it('asks storage one time, for everything', async () => {
    const token = await reader()
    await server.call('POST', 'test/row/a', { x: 1 })
    await server.call('GET', 'test/row/a', undefined, token)
    const now = vi.spyOn(backend, 'readNow')
    const later = vi.spyOn(backend, 'read')
    expect((await server.call('GET', 'test/row/a', undefined, token)).body.data).toEqual({ x: 1 })
    expect([now.mock.calls.length, later.mock.calls.length]).toEqual([1, 0])
  })

  it('with a revoked token cannot read, although it just did', async () => {
    const token = await reader()
    await server.call('POST', 'test/row/a', {})
    expect((await server.call('GET', 'test/row/a', undefined, token)).status).toBe(200)
    await server.call('POST', 'auth/token/revoke', { token })
    expect((await server.call('GET', 'test/row/a', undefined, token)).status).toBe(403)
  })

  it('is judged by the policy, the mounts and the devices that another node has changed', async () => {
    const token = await reader()
    await server.call('POST', 'test/row/a', { x: 1 })
    const other = await server.another()
    const status = async () => (await other.call('GET', 'test/row/a', undefined, token)).status
    expect(await status()).toBe(200)
    await server.policy('p', 'path "test/*" { capabilities = ["list"] }')
    expect(await status()).toBe(403)
    await server.policy('p', 'path "test/*" { capabilities = ["read"] }')
    expect(await status()).toBe(200)
    await server.call('PUT', 'sys/audit/mem', { type: 'test' })
    const lines = server.device.lines.length
    expect(await status()).toBe(200)
    expect(server.device.lines.length).toBeGreaterThan(lines)
    await server.call('DELETE', 'sys/mounts/test')
    expect(await status()).toBe(404)
    await other.close()
  })

  it('reads what was written under a term that another node has just begun', async () => {
    const token = await reader()
    const other = await server.another()
    expect((await server.call('POST', 'test/row/a', { x: 1 })).status).toBe(204)
    expect((await other.call('PUT', 'sys/rotate')).status).toBeLessThan(300)
    await other.call('POST', 'test/row/a', { x: 2 })
    expect((await server.call('GET', 'test/row/a', undefined, token)).body.data).toEqual({ x: 2 })
    await other.close()
  })

  it('is refused when another node has sealed the cluster', async () => {
    const token = await reader()
    const other = await server.another()
    expect((await other.call('GET', 'test/row/a', undefined, token)).status).toBe(404)
    await server.call('PUT', 'sys/seal')
    expect((await other.call('GET', 'test/row/a', undefined, token)).status).toBe(503)
    await other.close()
  })

  it('is refused when the storage is away: nothing is answered from a cache', async () => {
    const token = await reader()
    await server.call('POST', 'test/row/a', { x: 1 })
    expect((await server.call('GET', 'test/row/a', undefined, token)).status).toBe(200)
    await backend.close()
    expect((await server.call('GET', 'test/row/a', undefined, token)).status).toBe(503)
  })
})

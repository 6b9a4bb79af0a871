/** A server on a disk of 8 MB that fills up, as its clients see it. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { systemRandom } from '../../src/lib/random.ts'
import { startServer, type TestServer, unseal } from '../e2e/server-process.ts'
import { eventually } from '../postgres/open-storage.ts'

const folder = mkdtempSync(join(tmpdir(), 'coffer-disk-'))
const disk = join(folder, 'disk')
mkdirSync(disk)
const mounted = spawnSync('/bin/mount', ['-t', 'tmpfs', '-o', 'size=8m', 'none', disk]).status === 0
let server: TestServer | undefined
afterAll(async () => {
  await server?.close()
  if (mounted) spawnSync('/bin/umount', [disk])
  rmSync(folder, { recursive: true, force: true })
})

const freeBytes = () => {
  const { bsize, bavail } = statfsSync(disk)
  return bsize * bavail
}

describe.skipIf(!mounted)('a server on a full disk (needs root, to mount a small one)', () => {
  it('refuses writes, goes on reading, keeps what it acknowledged, and writes again when there is room', async () => {
    const storage = `storage "lmdb" {\n  path = "${disk}/data"\n  min_free = "2MiB"\n}`
    const node = await startServer({ storage })
    server = node
    await node.request('POST', 'sys/mounts/kv', { type: 'kv', options: { version: '1' } })
    const write = (i: number) =>
      node.request('POST', `kv/${i}`, { i, filler: Buffer.from(systemRandom(96_000)).toString('base64') })
    let acked = 0
    const refused = await eventually(async () => {
      const answer = await write(acked)
      if (answer.status !== 204) return answer
      acked += 1
      return undefined
    }, 'a refusal')
    expect([refused.status, refused.text]).toEqual([503, expect.stringContaining('free')])
    expect(acked).toBeGreaterThan(10)
    expect(freeBytes()).toBeGreaterThan(1024 * 1024)

    const readsAll = async () => {
      for (let i = 0; i < acked; i += 1) expect((await node.request('GET', `kv/${i}`)).json?.data?.i, `kv/${i}`).toBe(i)
    }
    await readsAll()
    // A snapshot needs room, too, and says so.
    const snapshot = await node.request('GET', 'sys/storage/raft/snapshot')
    expect([snapshot.status, snapshot.text]).toEqual([503, expect.stringContaining('must stay free')])

    // Someone else takes the rest, and it is killed: it opens and reads without room.
    writeFileSync(join(disk, 'of-another'), Buffer.alloc(Math.max(0, freeBytes() - 64 * 1024)))
    await node.kill('SIGKILL')
    await node.start()
    await unseal(node)
    await readsAll()
    expect((await write(acked)).status).toBe(503)
    rmSync(join(disk, 'of-another'))
    spawnSync('/bin/mount', ['-o', 'remount,size=32m', disk])
    await eventually(async () => (await write(acked)).status === 204 || undefined, 'a write')
    acked += 1
    await readsAll()
    const members = async () => (await node.request('GET', 'sys/ha-status')).json.nodes.length
    await eventually(async () => (await members()) === 1 || undefined, 'the row of the node')
  })
})

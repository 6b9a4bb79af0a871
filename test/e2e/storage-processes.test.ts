/** LMDB shared by processes: the storage suite with another process as second writer, and what only processes can show. */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { FakeClock } from '../../src/lib/fake-clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import { systemRandom } from '../../src/lib/random.ts'
import { commitId } from '../../src/server/contracts/commit.ts'
import { openLmdb } from '../../src/server/storage/lmdb/lmdb.ts'
import { describeStorage } from '../../src/server/storage/storage.conformance.ts'
import { childCommand, openStorage, PeerProcess } from './storage-peer.ts'

const folder = mkdtempSync(join(tmpdir(), 'coffer-storage-processes-'))
const peer = new PeerProcess()
let folders = 0

beforeAll(() => peer.ready)
afterAll(async () => {
  await peer.stop()
  rmSync(folder, { recursive: true, force: true })
})

const open = (path: string, clock = new FakeClock()) => openStorage(path, clock)

const newFolder = () => {
  folders += 1
  return join(folder, String(folders))
}

describeStorage(
  'lmdb, two processes',
  async () => {
    const path = newFolder()
    const clock = new FakeClock()
    const backend = await open(path, clock)
    const storage = peer.storage(path)
    const close = async () => {
      await storage.close()
      await backend.close()
    }
    return { backend, peer: storage, advance: (ms) => clock.advance(ms), close }
  },
  { unsupported: [] },
)

describe('two processes with one LMDB file', () => {
  it("see a peer's acknowledged commit in the same turn of a busy event loop", async () => {
    const path = newFolder()
    const backend = await open(path)
    await backend.commit({
      id: commitId(systemRandom),
      checks: [],
      put: [{ key: 'token', value: Buffer.from('live') }],
    })
    const go = join(folder, 'go')
    const child = spawn(childCommand[0] ?? '', [...childCommand.slice(1), 'commit-on-signal', path, go], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await new Promise((resolve) => child.stdout.once('data', resolve))
    // LMDB's read transaction begins here and would last until the event loop turns, which it does not.
    const before = await backend.read([{ key: 'token' }])
    writeFileSync(go, '')
    const deadline = systemClock.monotonic() + 20_000
    while (!existsSync(`${go}.done`) && systemClock.monotonic() < deadline) {}
    const after = await backend.read([{ key: 'token' }])
    const say = (rows: typeof before) =>
      rows.map((row) => (typeof row === 'object' ? Buffer.from(row.value).toString() : row))
    expect([say(before), say(after)]).toEqual([['live'], ['revoked']])
    await new Promise((resolve) => child.once('exit', resolve))
    await backend.close()
  })

  it('go on when one of them is killed, and the next one to open checks the file', async () => {
    const path = newFolder()
    const backend = await open(path)
    const child = spawn(childCommand[0] ?? '', [...childCommand.slice(1), 'hold', path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await new Promise((resolve) => child.stdout.once('data', resolve))
    const put = (key: string) => ({ id: commitId(systemRandom), checks: [], put: [{ key, value: Buffer.from('v') }] })
    expect(await backend.commit(put('a'))).toBe('ok')
    child.kill('SIGKILL')
    await new Promise((resolve) => child.once('exit', resolve))
    expect(await backend.commit(put('b'))).toBe('ok')
    const checking = openLmdb({
      path,
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
      check: { command: ['false'] },
      fatal: () => undefined,
    })
    await expect(checking).rejects.toThrow('did not pass its check after an unclean end')
    await backend.close()
    const again = await open(path)
    expect(await again.list('', { depth: 'all', limit: 10 })).toEqual(['a', 'b'])
    await again.close()
  })
})

import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../../../lib/fake-clock.ts'
import { silentLog } from '../../../../lib/log.ts'
import { systemRandom } from '../../../../lib/random.ts'
import { Barrier } from '../../../barrier/barrier.ts'
import type { Call } from '../../../contracts/request.ts'
import { TestServer } from '../../../pipeline/test-server.ts'
import { noteSchedule } from '../../../snapshots/schedule-row.ts'
import { openMemory } from '../../../storage/memory/memory.ts'
import { scheduleStatusRoute } from './schedule-status.ts'

async function world() {
  const clock = new FakeClock()
  const backend = openMemory({ clock, random: systemRandom })
  const allRows = new Barrier({ backend, clock, random: systemRandom, log: silentLog })
  await allRows.initialise({ rootKey: Buffer.alloc(32, 1), plain: [] })
  await allRows.unseal(Buffer.alloc(32, 1))
  const read = scheduleStatusRoute({ allRows }).on.read ?? expect.unreachable()
  return {
    core: allRows.view('core/'),
    status: () => read.handle({ params: { name: 'snapshots' } } as unknown as Call),
  }
}

describe('the status of scheduled snapshots', () => {
  it('is not there when none was scheduled, or under another name', async () => {
    const server = await TestServer.start()
    for (const name of ['snapshots', 'other']) {
      const answer = await server.call('GET', `sys/storage/raft/snapshot-auto/status/${name}`)
      expect(answer.status).toBe(404)
      expect(answer.body.errors[0]).toContain('the stanza "snapshots" does it')
    }
  })

  it("has the members of Vault's: of the last one, and of what failed since", async () => {
    const { core, status } = await world()
    const takenAt = Date.UTC(2026, 0, 2)
    const taken = { takenAt, endedAt: takenAt + 1000, intervalMs: 3_600_000, failures: 0, error: '' }
    await noteSchedule(core, () => ({ ...taken, name: 'a.snap', where: 's3://bucket/p/' }))
    const shown = {
      consecutive_errors: 0,
      last_snapshot_start: '2026-01-02T00:00:00.000Z',
      last_snapshot_end: '2026-01-02T00:00:01.000Z',
      last_snapshot_error: '',
      last_snapshot_url: 's3://bucket/p/a.snap',
      next_snapshot_start: '2026-01-02T01:00:00.000Z',
    }
    expect(await status()).toEqual({ kind: 'data', data: shown })
    await noteSchedule(core, (before) => ({ failures: (before?.failures ?? 0) + 1, error: 'why', where: '/b c' }))
    const failed = { consecutive_errors: 1, last_snapshot_error: 'why', last_snapshot_url: 'file:///b%20c/a.snap' }
    expect(await status()).toEqual({ kind: 'data', data: { ...shown, ...failed } })
  })

  it('is told, too, when none has ever succeeded', async () => {
    const { core, status } = await world()
    await noteSchedule(core, () => ({ failures: 3, error: 'why' }))
    expect(await status()).toMatchObject({
      data: { consecutive_errors: 3, last_snapshot_start: '', last_snapshot_url: '' },
    })
  })
})

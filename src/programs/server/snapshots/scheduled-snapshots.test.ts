import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { FakeClock } from '../../../lib/fake-clock.ts'
import { parseHcl } from '../../../lib/hcl/parse.ts'
import { silentLog } from '../../../lib/log.ts'
import { systemRandom } from '../../../lib/random.ts'
import { Barrier } from '../../../server/barrier/barrier.ts'
import type { SealStatus } from '../../../server/faces/sys/seal/seal-control.ts'
import { localSnapshot } from '../../../server/snapshots/local-snapshot.ts'
import { readSchedule } from '../../../server/snapshots/schedule-row.ts'
import { openMemory } from '../../../server/storage/memory/memory.ts'
import { Telemetry } from '../../../server/telemetry/telemetry.ts'
import { ScheduledSnapshots } from './scheduled-snapshots.ts'
import { planSnapshots } from './snapshot-plan.ts'
import { readSnapshots } from './snapshots-stanza.ts'

const folder = mkdtempSync(join(tmpdir(), 'coffer-scheduled-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let folders = 0
let path = ''
beforeEach(() => {
  folders += 1
  path = join(folder, String(folders))
})

const hourMs = 3_600_000

async function world(options: { keep?: number; minFreeBytes?: number; clusterId?: string } = {}) {
  const clock = new FakeClock()
  const random = systemRandom
  const backend = openMemory({ clock, random })
  const allRows = new Barrier({ backend, clock, random, log: silentLog })
  await allRows.initialise({ rootKey: Buffer.alloc(32, 1), plain: [] })
  await allRows.unseal(Buffer.alloc(32, 1))
  const telemetry = new Telemetry({ clock })
  const errors: string[] = []
  const cluster = { id: options.clusterId ?? 'abcdef01-2345-6789-abcd-ef0123456789', name: 'c' }
  const make = () =>
    new ScheduledSnapshots({
      plan: planSnapshots({ to: { kind: 'folder', path }, intervalMs: hourMs, keep: options.keep ?? 2 }, {}),
      allRows,
      seal: { status: async () => ({ cluster }) as SealStatus },
      clock,
      random,
      telemetry,
      cofferVersion: '0.1.0',
      storageType: 'inmem',
      maxValueBytes: backend.limits.valueBytes,
      spoolPlace: { folder, minFreeBytes: options.minFreeBytes ?? 0 },
      log: { ...silentLog, error: (_, fields) => void errors.push(String(fields?.['error'])) },
    })
  const scheduled = make()
  /** As the leader's loop does, and waits for what began. */
  const pass = async (one = scheduled, signal = new AbortController().signal) => {
    one.run(signal)
    await one.idle()
  }
  return { clock, telemetry, errors, pass, make, allRows }
}

const files = () => readdirSync(path).sort()

describe('scheduled snapshots', () => {
  it('are whole, of their owner alone, and named by cluster and time', async () => {
    const { pass } = await world()
    await pass()
    const [name = '', ...more] = files()
    expect(more).toEqual([])
    expect(name).toMatch(/^coffer-abcdef012345-\d{8}T\d{6}Z\.snap$/)
    expect(statSync(join(path, name)).mode & 0o777).toBe(0o600)
    expect((await localSnapshot.inspect(join(path, name), 1)).clusterId).toMatch(/^abcdef01/)
  })

  it('are taken when the interval is over and not before, whoever leads then', async () => {
    const { clock, pass, make } = await world()
    await pass()
    await clock.advance(hourMs - 1000)
    await pass()
    await pass(make())
    expect(files()).toHaveLength(1)
    await clock.advance(1000)
    await pass(make())
    expect(files()).toHaveLength(2)
  })

  it('are taken at once where the folder has none of this cluster', async () => {
    const { pass } = await world()
    mkdirSync(path)
    writeFileSync(join(path, 'coffer-ffffffffffff-20260101T000000Z.snap'), 'of another')
    await pass()
    expect(files()).toHaveLength(2)
    rmSync(join(path, files()[0] ?? ''))
    await pass()
    expect(files().filter((name) => name.includes('abcdef'))).toHaveLength(1)
  })

  it('stay as many as are to be kept, the newest; other files are left alone', async () => {
    const { clock, pass, telemetry } = await world({ keep: 2 })
    mkdirSync(path)
    const others = ['coffer-ffffffffffff-20260101T000000Z.snap', 'notes.txt']
    for (const name of others) writeFileSync(join(path, name), 'x')
    for (let i = 0; i < 4; i += 1) {
      await pass()
      await clock.advance(hourMs)
    }
    const own = files().filter((name) => !others.includes(name))
    expect(own).toHaveLength(2)
    expect(files()).toHaveLength(4)
    const newest = new Date(clock.now() - hourMs).toISOString().replace(/[-:]|\.\d+/g, '')
    expect(own[1]).toContain(newest)
    expect(telemetry.gauge('autosnapshots.snapshots.in.storage').value).toBe(2)
    expect(telemetry.gauge('autosnapshots.last.success.time').value).toBe(Math.floor((clock.now() - hourMs) / 1000))
  })

  it('that fail leave nothing, are counted and told, and are tried again soon', async () => {
    const { clock, pass, telemetry, errors, allRows } = await world()
    writeFileSync(path, 'a file where the folder should be')
    await pass()
    expect(errors).toHaveLength(1)
    expect(telemetry.counter('autosnapshots.save.errors').value).toBe(1)
    const noted = await readSchedule(allRows.view('core/'))
    expect(noted).toMatchObject({ failures: 1, failedAt: clock.now(), error: expect.stringContaining('EEXIST') })
    rmSync(path)
    await clock.advance(300_000)
    await pass()
    expect(files()).toHaveLength(1)
    const taken = { takenAt: clock.now(), where: path, name: files()[0], failures: 0, error: '' }
    expect(await readSchedule(allRows.view('core/'))).toMatchObject(taken)
  })

  it('do not take the last room', async () => {
    const { pass, errors } = await world({ minFreeBytes: Number.MAX_SAFE_INTEGER })
    await pass()
    expect(errors[0]).toContain('must stay free')
    expect(readdirSync(folder).filter((name) => name.startsWith('.snapshot-'))).toEqual([])
  })

  it('that a killed server left half are removed by the next one', async () => {
    const { pass } = await world()
    mkdirSync(path)
    writeFileSync(join(path, '.coffer-abcdef012345-20260101T000000Z.snap.partial'), 'half')
    await pass()
    expect(files()).toHaveLength(1)
    expect(files()[0]).toMatch(/\.snap$/)
  })

  it('end with the lead, without a half and without an error', async () => {
    const { pass, errors } = await world()
    await pass(undefined, AbortSignal.abort(new Error('sealing')))
    expect(errors).toEqual([])
    expect(readdirSync(folder)).not.toContain(String(folders))
  })
})

describe('the stanza snapshots', () => {
  const read = (text: string) => readSnapshots(parseHcl(text))

  it('has an interval of a day and keeps seven', () => {
    const to = { kind: 'folder', path: '/b' }
    expect(read('snapshots { path = "/b" }')).toEqual({ to, intervalMs: 24 * hourMs, keep: 7 })
    expect(read('snapshots {\n  path = "/b"\n  interval = "6h"\n  keep = 28\n}')).toEqual({
      to,
      intervalMs: 6 * hourMs,
      keep: 28,
    })
    expect(read('')).toBeUndefined()
  })

  it.each([
    ['snapshots {}', 'snapshots needs a path'],
    ['snapshots { path = "relative" }', 'must be absolute'],
    ['snapshots {\n  path = "/b"\n  interval = "10s"\n}', 'at least 1m'],
    ['snapshots {\n  path = "/b"\n  keep = 0\n}', '"keep" must be at least 1'],
    ['snapshots {\n  path = "/b"\n  bucket = "b"\n}', 'is not supported: it is called aws_s3_bucket'],
    ['snapshots {\n  path = "/b"\n  keep = 2\n  retain = 3\n}', 'retain is another name of keep'],
    ['snapshots {\n  path = "/b"\n  every = "1h"\n}', 'unknown key "every"'],
    ['snapshots { path = "/b" }\nsnapshots { path = "/c" }', 'two stanzas'],
  ])('%s is refused', (text, why) => {
    expect(() => read(text)).toThrow(why)
  })
})

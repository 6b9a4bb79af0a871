import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../../lib/fake-clock.ts'
import { runFake } from '../../fake-context.ts'
import type { LocalStorage, Migration, StorageReport, VerifiedSnapshot } from './local-storage.ts'

const done = { rows: 7, bytes: 2_500_000, digest: 'abc', from: 'lmdb in /a', to: 'postgresql, table t' }
const whole: StorageReport = {
  storage: 'lmdb in /a',
  verdict: 'whole',
  rows: 7,
  bytes: 70,
  problems: [],
  kinds: [{ name: 'core/keyring', rows: 1, bytes: 70 }],
}
const verified: VerifiedSnapshot = {
  id: 'coffer-1',
  takenAt: '2026-01-02T03:04:05.000Z',
  clusterId: 'c',
  rows: 7,
  bytes: 70,
  problems: [],
}

interface World {
  readonly migration?: Partial<Migration>
  readonly storage?: Partial<LocalStorage>
  readonly clock?: FakeClock
}

function run(argv: string[], { migration, storage, clock }: World = {}) {
  const calls: string[] = []
  const local: LocalStorage = {
    openMigration: async (config) => {
      calls.push(`open ${config}`)
      return {
        warnings: [],
        run: async () => {
          calls.push('run')
          return done
        },
        reset: async () => void calls.push('reset'),
        ...migration,
      }
    },
    check: async () => whole,
    verifySnapshot: async () => verified,
    ...storage,
  }
  return runFake(argv, { localStorage: async () => local, ...(clock ? { clock } : {}) }).then((ran) => ({
    ...ran,
    calls,
  }))
}

describe('operator migrate', () => {
  it("copies and says so in Vault's words, with what was compared", async () => {
    const { status, out, calls } = await run(['operator', 'migrate', '-config=m.hcl', '-log-level=info'])
    expect(status).toBe(0)
    expect(calls).toEqual(['open m.hcl', 'run'])
    expect(out).toBe(
      '7 rows (2.4 MiB) from lmdb in /a to postgresql, table t, compared: sha256 abc\nSuccess! All of the keys have been migrated.\n',
    )
  })

  it('with -reset removes the lock and copies nothing', async () => {
    const { status, out, calls } = await run(['operator', 'migrate', '-config', 'm.hcl', '-reset'])
    expect([status, out]).toEqual([0, 'Success! Migration lock reset (if it was set).\n'])
    expect(calls).toEqual(['open m.hcl', 'reset'])
  })

  it.each([
    [[], 'Must specify exactly one config path using -config'],
    [['-config=a', '-config=b'], 'Must specify exactly one config path using -config'],
    [['-config=a', '-start=core/'], 'run it again without -start'],
    [['-config=a', '-max-parallel=0'], 'Argument to flag -max-parallel must be at least 1'],
    [
      ['-config=a', '-log-level=loud'],
      'loud is an unknown log level. Valid log levels are: trace debug info warn error',
    ],
  ])('with %j is wrong use', async (args, why) => {
    const { status, err, calls } = await run(['operator', 'migrate', ...args])
    expect(status).toBe(1)
    expect(err).toContain(why)
    expect(calls).toEqual([])
  })

  it('tells a file that can not be read from a migration that failed', async () => {
    const openMigration = async () => {
      throw new Error('line 1, column 1: no')
    }
    const unread = await run(['operator', 'migrate', '-config=m.hcl'], { storage: { openMigration } })
    expect([unread.status, unread.err]).toEqual([1, 'Error loading configuration from m.hcl: line 1, column 1: no\n'])
    const failed = await run(['operator', 'migrate', '-config=m.hcl'], {
      migration: {
        run: async () => {
          throw new Error('storage_destination is not empty')
        },
      },
    })
    expect([failed.status, failed.err]).toEqual([2, 'Error migrating: storage_destination is not empty\n'])
  })

  it('says that -max-parallel has no effect, and with -log-level=warn nothing about how far it is', async () => {
    const clock = new FakeClock()
    const { status, err } = await run(['operator', 'migrate', '-config=m', '-max-parallel=10', '-log-level=WARN'], {
      clock,
      migration: {
        run: async ({ onProgress }) => {
          await clock.advance(5000)
          onProgress('copied', 1, 100)
          return done
        },
      },
    })
    expect([status, err]).toEqual([0, 'WARNING! -max-parallel has no effect: one transaction copies everything\n'])
  })

  it('shows warnings, and how far it is now and then', async () => {
    const clock = new FakeClock()
    const { err } = await run(['operator', 'migrate', '-config=m.hcl'], {
      clock,
      migration: {
        warnings: ['"cluster_addr" has no effect'],
        run: async ({ onProgress }) => {
          onProgress('copied', 1, 100)
          await clock.advance(2000)
          onProgress('copied', 2000, 1_048_576)
          onProgress('copied', 2001, 1_048_577)
          await clock.advance(2000)
          onProgress('compared', 5, 50)
          return done
        },
      },
    })
    expect(err).toBe('WARNING! "cluster_addr" has no effect\ncopied 2000 rows, 1.0 MiB\ncompared 5 rows, 0.0 MiB\n')
  })
})

describe('operator storage check', () => {
  const check = (report: StorageReport, ...args: string[]) =>
    run(['operator', 'storage', 'check', '-config=c.hcl', ...args], { storage: { check: async () => report } })
  const damaged: StorageReport = {
    storage: 's',
    verdict: 'damaged',
    problems: ['row 7 is out of order'],
    advice: 'Restore it',
    kinds: [],
  }

  it('ends with 0 for whole, 1 for damaged, 2 when nothing can be said', async () => {
    expect((await check(whole)).status).toBe(0)
    expect((await check(damaged)).status).toBe(1)
    expect((await check({ ...damaged, verdict: 'unknown' })).status).toBe(2)
    expect((await run(['operator', 'storage', 'check'])).status).toBe(2)
    const failing = async () => {
      throw new Error('the configuration c.hcl cannot be read')
    }
    const unread = await run(['operator', 'storage', 'check', '-config=c.hcl'], { storage: { check: failing } })
    expect([unread.status, unread.err]).toEqual([2, 'the configuration c.hcl cannot be read\n'])
  })

  it('says what is wrong and what to do, for people and for programs', async () => {
    const { out } = await check(damaged)
    expect(out).toContain('* row 7 is out of order')
    expect(out).toContain('Restore it.')
    expect((await check(whole)).out).toMatch(/core\/keyring +1 +70/)
    expect(JSON.parse((await check(damaged, '-format=json')).out)).toEqual({ ...damaged })
  })
})

describe('operator snapshot verify', () => {
  it('ends with 0 when it can be restored, with 1 when not, and says why', async () => {
    const good = await run(['operator', 'snapshot', 'verify', 'a.snap'])
    expect(good.status).toBe(0)
    expect(good.out).toContain('Success! The snapshot was restored and read back.')
    const bad = await run(['operator', 'snapshot', 'verify', 'a.snap'], {
      storage: { verifySnapshot: async () => ({ ...verified, problems: ['the row "core/keyring" is missing'] }) },
    })
    expect(bad.status).toBe(1)
    expect(bad.out).toContain('* the row "core/keyring" is missing')
    const cut = await run(['operator', 'snapshot', 'verify', 'a.snap'], {
      storage: {
        verifySnapshot: async () => {
          throw new Error('the snapshot is damaged: it ends too early; take another one')
        },
      },
    })
    expect([cut.status, cut.err]).toEqual([
      1,
      'Error verifying a.snap: the snapshot is damaged: it ends too early; take another one\n',
    ])
  })
})

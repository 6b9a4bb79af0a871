/** Two worker processes on one port and one LMDB file, beside one. */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { workersLimit } from '../limits.ts'
import { load } from '../load.ts'
import { median, ratioOf } from '../report/figures.ts'
import type { Bench } from '../requests/measure.ts'
import { applicationToken, type Coffer, open, startCoffer } from '../server/coffer.ts'
import { cpuSeconds, machineCpu, rssAnonMb } from '../server/processes.ts'
import { atLeast, attempted, type Figure, type Study, type StudySetting } from './study.ts'

const path = '/v1/secret/data/bench/read'
const data = { value: 'v'.repeat(1024) }

interface Side {
  readonly workers: number
  readonly coffer: Coffer
  readonly token: string
  readonly folder: string
}

async function start(workers: number, bench: Bench): Promise<Side> {
  const folder = join(bench.scratch, `workers-${workers}`)
  mkdirSync(folder, { recursive: true })
  const coffer = await startCoffer({ folder, workers })
  try {
    const { rootToken } = await open(coffer, folder)
    await coffer.call('POST', 'sys/mounts/secret', { type: 'kv', options: { version: '2' } }, rootToken)
    const token = await applicationToken(coffer, rootToken)
    await coffer.call('POST', 'secret/data/bench/read', { data }, token)
    return { workers, coffer, token, folder }
  } catch (error) {
    await coffer.stop()
    throw error
  }
}

interface Run {
  readonly perSecond: number
  readonly errors: number
  /** Processors that the server kept busy, and that were idle. */
  readonly used: number
  readonly idle: number
}

async function run({ coffer, token, folder }: Side, { connections, seconds }: StudySetting): Promise<Run> {
  const [cpu, machine, begun] = [cpuSeconds(coffer.pids()), machineCpu(), performance.now()]
  const headers = { 'X-Vault-Token': token }
  const outcome = await load({ origins: [coffer.url], headers, shots: [{ path }], connections, seconds }, folder)
  const elapsed = (performance.now() - begun) / 1000
  return {
    ...outcome,
    used: (cpuSeconds(coffer.pids()) - cpu) / elapsed,
    idle: (machineCpu().idle - machine.idle) / elapsed,
  }
}

async function compare(sides: readonly Side[], setting: StudySetting, bench: Bench): Promise<readonly Figure[]> {
  const runs = sides.map((): Run[] => [])
  for (let n = 1; n <= setting.runs; n += 1) {
    bench.progress.step(`workers: run ${n} of ${setting.runs}`)
    for (const [i, side] of sides.entries()) runs[i]?.push(await run(side, setting))
  }
  const [one = Number.NaN, two = Number.NaN] = runs.map((list) => median(list.map(({ perSecond }) => perSecond)))
  return [
    ...sides.flatMap(({ workers, coffer }, i): Figure[] => {
      const of = (pick: (run: Run) => number) => median((runs[i] ?? []).map(pick))
      const who = workers === 1 ? 'one process' : `${workers} workers`
      return [
        { name: `reads, ${who}`, value: of(({ perSecond }) => perSecond), unit: '/s' },
        { name: `processors used, ${who}`, value: of(({ used }) => used), unit: '' },
        { name: `processors idle meanwhile, ${who}`, value: of(({ idle }) => idle), unit: '' },
        { name: `RssAnon, ${who}`, value: rssAnonMb(coffer.pids()), unit: 'MB' },
      ]
    }),
    {
      ...{ name: 'two workers to one process', value: ratioOf(two, one), unit: '' },
      ...(hadRoom(runs) ? { limit: atLeast(workersLimit) } : {}),
    },
    {
      name: 'errors',
      value: runs.flat().reduce((sum, { errors }) => sum + errors, 0),
      unit: '',
      limit: { fails: 1, side: 'below' },
    },
  ]
}

/**
 * Whether the machine had processors for a second worker: one process had one of its own, and two could have had half of another.
 * Else the rate says how busy others kept the machine.
 */
function hadRoom(runs: readonly (readonly Run[])[]): boolean {
  const [one = [], two = []] = runs
  const alone = median(one.map(({ used }) => used))
  return alone >= 0.9 && median(two.map(({ used, idle }) => used + idle)) >= 1.5 * alone
}

export const workers: Study = {
  name: 'workers',
  title: 'Reads of one string by two workers, beside one process',
  ci: true,
  async run(setting, bench) {
    const sides: Side[] = []
    try {
      for (const count of [1, 2]) sides.push(await start(count, bench))
      for (const side of sides) await run(side, setting)
      const figures = await attempted(setting, bench, () => compare(sides, setting, bench))
      const notes = ['The load generator needs a processor too: with two processors the second worker shares its own.']
      if (!figures.some(({ limit }) => limit?.side === 'at least')) {
        notes.push(
          'Others kept the machine busy: there was no processor for a second worker, so the ratio is not judged.',
        )
      }
      return { study: 'workers', title: workers.title, figures, notes }
    } finally {
      for (const { coffer, folder } of sides) {
        await coffer.stop()
        rmSync(folder, { recursive: true, force: true })
      }
    }
  },
}

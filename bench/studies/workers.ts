/** Two worker processes on one port and one LMDB file, beside one. */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { workersLimit, workersShareLimit } from '../limits.ts'
import { load } from '../load.ts'
import { median, ratioOf } from '../report/figures.ts'
import type { Bench } from '../requests/measure.ts'
import { type Bare, roundsIn, startBusy } from '../server/bare.ts'
import { applicationToken, type Coffer, open, startCoffer } from '../server/coffer.ts'
import { cpuSeconds, machineCpu, rssAnonMb } from '../server/processes.ts'
import { atLeast, attempted, type Figure, type Study, type StudySetting } from './study.ts'

const path = '/v1/secret/data/bench/read'
/** What a bare node:http server takes for an answer, roughly. */
const bareMicros = 20
const data = { value: 'v'.repeat(1024) }

interface Side {
  readonly workers: number
  readonly coffer: Coffer
  readonly token: string
  readonly folder: string
}
/** Beside it: what a second process of anything brings here, whose answers take the processor as long. */
interface Measure {
  readonly runs: readonly (readonly Run[])[]
  readonly busy: readonly number[]
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

async function measure(sides: readonly Side[], setting: StudySetting, bench: Bench): Promise<Measure> {
  const runs = sides.map((): Run[] => [])
  const busyRuns = sides.map((): number[] => [])
  const busy: Bare[] = []
  try {
    const rounds = roundsIn(await microsOfRead(sides, setting))
    for (const { workers } of sides) busy.push(await startBusy(workers, rounds))
    for (let n = 1; n <= setting.runs; n += 1) {
      bench.progress.step(`workers: run ${n} of ${setting.runs}`)
      for (const [i, side] of sides.entries()) {
        runs[i]?.push(await run(side, setting))
        const origins = [busy[i]?.url ?? '']
        const shots = [{ path: '/' }]
        busyRuns[i]?.push((await load({ ...setting, origins, headers: {}, shots }, side.folder)).perSecond)
      }
    }
  } finally {
    for (const server of busy) await server.stop()
  }
  return { runs, busy: busyRuns.map(median) }
}

/** What a read takes of the processor more than an answer of a bare server. */
async function microsOfRead([one]: readonly Side[], setting: StudySetting): Promise<number> {
  if (!one) return 0
  const { used, perSecond } = await run(one, setting)
  if (perSecond === 0) throw new Error('no read was answered')
  return Math.max(1, (used * 1e6) / perSecond - bareMicros)
}

async function compare(sides: readonly Side[], setting: StudySetting, bench: Bench): Promise<readonly Figure[]> {
  const { runs, busy } = await measure(sides, setting, bench)
  const [one = Number.NaN, two = Number.NaN] = runs.map((list) => median(list.map(({ perSecond }) => perSecond)))
  const [busyOne = Number.NaN, busyTwo = Number.NaN] = busy
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
      limit: atLeast(workersLimit),
    },
    { name: 'two bare processes to one, whose answers take as long', value: ratioOf(busyTwo, busyOne), unit: '' },
    {
      name: 'of what two bare processes bring',
      value: ratioOf(two, one) / ratioOf(busyTwo, busyOne),
      unit: '',
      limit: atLeast(workersShareLimit),
    },
    {
      name: 'errors',
      value: runs.flat().reduce((sum, { errors }) => sum + errors, 0),
      unit: '',
      limit: { fails: 1, side: 'below' },
    },
  ]
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
      return { study: 'workers', title: workers.title, figures, notes }
    } finally {
      for (const { coffer, folder } of sides) {
        await coffer.stop()
        rmSync(folder, { recursive: true, force: true })
      }
    }
  },
}

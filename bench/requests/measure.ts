/** Five runs of a scenario, each beside one of the bare server: whatever else the machine does befalls both. */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { PostgresServer } from '../../test/postgres/postgres-server.ts'
import { limitsHoldFor, memoryLimit, ratioLimit } from '../limits.ts'
import { type Load, load, type Outcome, type Shot } from '../load.ts'
import { median, type Progress, ratioOf } from '../report/figures.ts'
import { startBare } from '../server/bare.ts'
import { applicationToken, type Coffer, open, startCoffer } from '../server/coffer.ts'
import { cpuSeconds, rssAnonMb } from '../server/processes.ts'
import type { Prepared, Scenario } from './scenario.ts'

export interface Setting {
  readonly storage: 'lmdb' | 'postgresql'
  readonly workers: number
  readonly connections: number
  readonly seconds: number
  readonly runs: number
  /** How often it may be measured while a limit is missed: another's load can only spoil a measurement. */
  readonly attempts: number
}

export interface Run extends Outcome {
  /** Of all processes of the server. */
  readonly cpuMicros: number
  readonly rssAnonMb: number
}

export interface Measured {
  readonly scenario: string
  readonly title: string
  readonly storage: Setting['storage']
  readonly workers: number
  /** Medians of the runs. */
  readonly ours: Run
  readonly bare: Run
  readonly ratio: number
  readonly errors: number
  /** Of how many measurements this is the last. */
  readonly attempts: number
  readonly runs: readonly { readonly ours: Run; readonly bare: Run }[]
  /** What it must not miss and does; empty: all is well. */
  readonly missed: readonly string[]
}

export interface Bench {
  readonly scratch: string
  readonly progress: Progress
  /** Started when it is first asked for. */
  postgres(): Promise<PostgresServer>
}

export async function measureScenario(scenario: Scenario, setting: Setting, bench: Bench): Promise<Measured> {
  const folder = join(bench.scratch, `${scenario.name}-${setting.storage}-${setting.workers}`)
  mkdirSync(folder, { recursive: true })
  const database = setting.storage === 'postgresql' ? await bench.postgres() : undefined
  const coffer = await startCoffer({
    folder,
    workers: setting.workers,
    ...(database ? { postgres: database.url(await database.newDatabase()) } : {}),
    ...(scenario.stanzas === undefined ? {} : { stanzas: scenario.stanzas }),
  })
  try {
    const { rootToken } = await open(coffer, folder)
    await coffer.call('POST', 'sys/mounts/secret', { type: 'kv', options: { version: '2' } }, rootToken)
    const token = await applicationToken(coffer, rootToken)
    const prepared = await scenario.prepare({ coffer, rootToken, token, folder })
    try {
      return await beside({ scenario, setting, bench, coffer, token, prepared, folder })
    } finally {
      await prepared.close?.()
    }
  } finally {
    await coffer.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

interface Pair {
  readonly scenario: Scenario
  readonly setting: Setting
  readonly bench: Bench
  readonly coffer: Coffer
  readonly token: string
  readonly prepared: Prepared
  readonly folder: string
}

async function beside(pair: Pair): Promise<Measured> {
  const { setting, bench, coffer, prepared, folder, scenario } = pair
  const bare = await startBare(prepared.answers, folder)
  const to = (origin: string, seconds: number, shots = prepared.shots): Load => ({
    ...{ origins: [origin], headers: { 'X-Vault-Token': pair.token }, shots, seconds },
    connections: setting.connections,
  })
  try {
    // A server in use has seen every kind of request; V8 makes other code for one that has seen a single kind.
    bench.progress.step(`${scenario.name}: warming up`)
    const [ofEveryKind, ofThis] = warmSeconds
    await load(to(coffer.url, ofEveryKind, everyKind), folder)
    await load(to(coffer.url, ofThis), folder)
    await load(to(bare.url, setting.seconds), folder)
    for (let attempt = 1; ; attempt += 1) {
      const runs: { ours: Run; bare: Run }[] = []
      for (let run = 1; run <= setting.runs; run += 1) {
        bench.progress.step(`${scenario.name}: run ${run} of ${setting.runs}`)
        const ours = await measured(to(coffer.url, setting.seconds), coffer.pids(), folder)
        runs.push({ ours, bare: await measured(to(bare.url, setting.seconds), [bare.pid], folder) })
      }
      const result = summary(pair, runs, attempt)
      if (result.missed.length === 0 || attempt >= setting.attempts) return result
      bench.progress.note(`${scenario.name}: ${result.missed.join('; ')}: measured again`)
    }
  } finally {
    await bare.stop()
  }
}

/** V8 goes on compiling for so long on a busy machine: after two seconds of each a server answers a fifth less than after ten. */
const warmSeconds = [3, 5] as const

const everyKind: readonly Shot[] = [
  { method: 'POST', path: '/v1/secret/data/worn-in', body: '{"data":{"a":"1"}}', keys: 100 },
  { path: '/v1/secret/data/worn-in', keys: 100 },
  { path: '/v1/auth/token/lookup-self' },
  { method: 'POST', path: '/v1/sys/tools/hash', body: '{"input":"YWJj"}' },
]

async function measured(options: Load, pids: readonly number[], folder: string): Promise<Run> {
  const before = cpuSeconds(pids)
  const outcome = await load(options, folder)
  const cpuMicros = ((cpuSeconds(pids) - before) * 1e6) / Math.max(1, outcome.perSecond * options.seconds)
  return { ...outcome, cpuMicros, rssAnonMb: rssAnonMb(pids) }
}

function medianOf(runs: readonly Run[]): Run {
  const of = (pick: (run: Run) => number) => median(runs.map(pick))
  return {
    perSecond: of((run) => run.perSecond),
    p50Ms: of((run) => run.p50Ms),
    p99Ms: of((run) => run.p99Ms),
    errors: runs.reduce((sum, run) => sum + run.errors, 0),
    cpuMicros: of((run) => run.cpuMicros),
    rssAnonMb: of((run) => run.rssAnonMb),
  }
}

function summary(pair: Pair, runs: Measured['runs'], attempts: number): Measured {
  const { scenario, setting } = pair
  const [ours, bare] = [medianOf(runs.map((run) => run.ours)), medianOf(runs.map((run) => run.bare))]
  const ratio = ratioOf(ours.perSecond, bare.perSecond)
  const errors = ours.errors + bare.errors
  const missed = errors > 0 ? [`${errors} errors`] : []
  if (limitsHold(setting)) {
    const least = ratioLimit(scenario.name)?.fails
    if (least !== undefined && !(ratio >= least)) missed.push(`ratio ${ratio.toFixed(3)}, at least ${least}`)
    const most = scenario.small ? memoryLimit.fails : undefined
    if (most !== undefined && !(ours.rssAnonMb < most)) {
      missed.push(`RssAnon ${ours.rssAnonMb.toFixed(0)} MB, below ${most}`)
    }
  }
  const { name, title } = scenario
  const { storage, workers } = setting
  return { scenario: name, title, storage, workers, ours, bare, ratio, errors, attempts, runs, missed }
}

export const limitsHold = ({ storage, workers, connections }: Pick<Setting, 'storage' | 'workers' | 'connections'>) =>
  storage === 'lmdb' && workers === 1 && connections === limitsHoldFor.connections

/** A server with a million secrets beside one with a thousand: the rate of reads, memory, and how long a start takes. */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { storedLimits } from '../limits.ts'
import { load } from '../load.ts'
import { median, ratioOf } from '../report/figures.ts'
import type { Bench } from '../requests/measure.ts'
import { startBare } from '../server/bare.ts'
import { applicationToken, audit, type Coffer, startCoffer } from '../server/coffer.ts'
import { cpuSeconds, rssAnonMb } from '../server/processes.ts'
import { fill } from './filling.ts'
import { atLeast, attempted, below, type Figure, type Study, type StudySetting } from './study.ts'

const few = 1000
const sealKey = { id: 'bench', key: Buffer.alloc(32, 7) }
/** So that a start includes its unsealing. */
const stanzas = `seal "static" {\n  current_key_id = "${sealKey.id}"\n  current_key = "${sealKey.key.toString('hex')}"\n}`

interface Side {
  readonly count: number
  readonly folder: string
  readonly token: string
  coffer: Coffer
}

async function prepare(count: number, bench: Bench): Promise<Side> {
  const folder = join(bench.scratch, `secrets-${count}`)
  mkdirSync(folder, { recursive: true })
  const coffer = await startCoffer({ folder, stanzas })
  let side: Omit<Side, 'coffer'>
  let mountUuid: string
  try {
    const init = { recovery_shares: 1, recovery_threshold: 1 }
    const made: { root_token: string } = JSON.parse(await coffer.call('PUT', 'sys/init', init))
    await answered(coffer, 'sys/health', '')
    await audit(coffer, made.root_token, folder)
    await coffer.call('POST', 'sys/mounts/secret', { type: 'kv', options: { version: '2' } }, made.root_token)
    const mounts: Record<string, { uuid: string }> = JSON.parse(
      await coffer.call('GET', 'sys/mounts', undefined, made.root_token),
    )
    mountUuid = mounts['secret/']?.uuid ?? ''
    side = { count, folder, token: await applicationToken(coffer, made.root_token) }
  } finally {
    await coffer.stop()
  }
  const shown = count.toLocaleString('en-US')
  const begun = performance.now()
  await fill({
    ...{ path: join(folder, 'data'), sealKey, mountUuid, count },
    told: (stored) => bench.progress.step(`storing ${stored.toLocaleString('en-US')} of ${shown} secrets`),
  })
  bench.progress.note(`${shown} secrets stored in ${((performance.now() - begun) / 1000).toFixed(1)} s`)
  return { ...side, coffer: await startCoffer({ folder, stanzas }) }
}

/** Tries until it does, for a server that unseals itself. */
async function answered(coffer: Coffer, path: string, token: string): Promise<void> {
  const until = performance.now() + 60_000
  for (;;) {
    try {
      await coffer.call('GET', path, undefined, token)
      return
    } catch (error) {
      if (performance.now() > until) throw error
      await new Promise((done) => setTimeout(done, 2))
    }
  }
}

interface Start {
  readonly ms: number
  readonly cpuMs: number
}

/** Of a bare node:http server, to its first answer, in ms: how fast this machine starts programs at the moment. */
async function startOfBare(folder: string): Promise<number> {
  const begun = performance.now()
  const bare = await startBare({ get: '{}', post: '{}' }, folder)
  try {
    await (await fetch(bare.url)).text()
    return performance.now() - begun
  } finally {
    await bare.stop()
  }
}

/** From the start of the process to the answer to a read of the last secret, after an orderly stop. */
async function restart(side: Side): Promise<Start> {
  await side.coffer.stop()
  const begun = performance.now()
  side.coffer = await startCoffer({ folder: side.folder, stanzas })
  await answered(side.coffer, `secret/data/bench/${side.count - 1}`, side.token)
  return { ms: performance.now() - begun, cpuMs: cpuSeconds(side.coffer.pids()) * 1000 }
}

interface Reads {
  readonly perSecond: number
  readonly errors: number
  readonly cpuMicros: number
  readonly rssAnonMb: number
}

async function read({ coffer, count, token, folder }: Side, { connections, seconds }: StudySetting): Promise<Reads> {
  const shots = [{ path: '/v1/secret/data/bench', keys: count, order: 'by chance' }] as const
  const headers = { 'X-Vault-Token': token }
  const before = cpuSeconds(coffer.pids())
  const { perSecond, errors } = await load({ origins: [coffer.url], headers, shots, connections, seconds }, folder)
  const cpuMicros = ((cpuSeconds(coffer.pids()) - before) * 1e6) / Math.max(1, perSecond * seconds)
  return { perSecond, errors, cpuMicros, rssAnonMb: rssAnonMb(coffer.pids()) }
}

async function compare(sides: readonly Side[], setting: StudySetting, bench: Bench): Promise<readonly Figure[]> {
  const starts = sides.map((): Start[] => [])
  const bareStarts: number[] = []
  const reads = sides.map((): Reads[] => [])
  for (let n = 1; n <= setting.runs; n += 1) {
    bench.progress.step(`secrets: start ${n} of ${setting.runs}`)
    for (const [i, side] of sides.entries()) starts[i]?.push(await restart(side))
    bareStarts.push(await startOfBare(bench.scratch))
  }
  for (const side of sides) await read(side, setting)
  for (let n = 1; n <= setting.runs; n += 1) {
    bench.progress.step(`secrets: run ${n} of ${setting.runs}`)
    for (const [i, side] of sides.entries()) reads[i]?.push(await read(side, setting))
  }
  return figuresOf(
    sides.map(({ count }) => count.toLocaleString('en-US')),
    { starts, bareStarts, reads },
  )
}

interface Runs {
  readonly starts: readonly Start[][]
  readonly bareStarts: readonly number[]
  readonly reads: readonly Reads[][]
}

function figuresOf(counts: readonly string[], { starts, bareStarts, reads }: Runs): Figure[] {
  const [few = '', many = ''] = counts
  const rate = (i: number) => median((reads[i] ?? []).map(({ perSecond }) => perSecond))
  const each = (name: string, unit: string, value: (i: number) => number, limit?: Figure['limit']): Figure[] => [
    { name: `${name}, ${few}`, value: value(0), unit },
    // Only the many are held to it.
    { name: `${name}, ${many}`, value: value(1), unit, ...(limit ? { limit } : {}) },
  ]
  const start = (i: number) => median((starts[i] ?? []).map(({ ms }) => ms))
  const bareStart = median(bareStarts)
  const errors = reads.flat().reduce((sum, run) => sum + run.errors, 0)
  return [
    ...each('reads', '/s', rate),
    {
      name: `reads, ${many} to ${few}`,
      value: ratioOf(rate(1), rate(0)),
      unit: '',
      limit: atLeast(storedLimits.reads),
    },
    ...each('processor time of a read', 'µs', (i) => median((reads[i] ?? []).map(({ cpuMicros }) => cpuMicros))),
    ...each('RssAnon', 'MB', (i) => median((reads[i] ?? []).map((run) => run.rssAnonMb)), below(storedLimits.memory)),
    ...each('start', 'ms', start, below(storedLimits.start)),
    { name: 'start of a bare server', value: bareStart, unit: 'ms' },
    { name: `start, ${many} to bare`, value: start(1) / bareStart, unit: '', limit: below(storedLimits.startRatio) },
    ...each('processor time of a start', 'ms', (i) => median((starts[i] ?? []).map(({ cpuMs }) => cpuMs))),
    { name: 'errors', value: errors, unit: '', limit: { fails: 1, side: 'below' } },
  ]
}

export const million: Study = {
  name: 'million',
  title: 'A million secrets beside a thousand',
  ci: true,
  async run(setting, bench) {
    const sides: Side[] = []
    try {
      for (const count of [few, setting.secrets]) sides.push(await prepare(count, bench))
      const figures = await attempted(setting, bench, () => compare(sides, setting, bench))
      const notes = [
        'Reads by chance over all secrets, one string of 256 bytes each.',
        'Starts: from the start of the process, unsealed by a static seal, to the answer to a read.',
      ]
      return { study: 'million', title: million.title, figures, notes }
    } finally {
      for (const { coffer, folder } of sides) {
        await coffer.stop()
        rmSync(folder, { recursive: true, force: true })
      }
    }
  },
}

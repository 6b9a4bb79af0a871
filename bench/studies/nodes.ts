/**
 * One, two and three servers on one PostgreSQL: how many writes they do together, and whose processor time those cost. On one
 * machine all share its processors: two nodes on two processors can't do more than one, and that says nothing of two machines.
 * So once more with a PostgreSQL so far away that a node waits for it with all its connections, at a rate that leaves the
 * processors idle: what limits a node is then its own, as on a machine of its own.
 */
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { startProxy } from '../../test/postgres/cutting-proxy.ts'
import type { PostgresServer } from '../../test/postgres/postgres-server.ts'
import { missingPostgres } from '../../test/postgres/programs.mjs'
import { nodesLimit, postgresWriteLimit } from '../limits.ts'
import { load, type Shot } from '../load.ts'
import { median, ratioOf } from '../report/figures.ts'
import type { Bench } from '../requests/measure.ts'
import { applicationToken, type Coffer, type Opened, open, startCoffer, unseal } from '../server/coffer.ts'
import { cpuSeconds, machineCpu, treeOf } from '../server/processes.ts'
import { atLeast, attempted, below, type Figure, type Study, type StudyResult, type StudySetting } from './study.ts'

const most = 3
const shot: Shot = {
  method: 'POST',
  path: '/v1/secret/data/bench',
  body: JSON.stringify({ data: { value: 'v'.repeat(1024) } }),
  keys: 20_000,
}

/** What limits a node, apart from the machine. */
interface Bounds {
  /** How late each answer of PostgreSQL comes, and each question gets there. */
  readonly awayMs?: number
}

/** Processors: with less, others on the machine held the nodes back. */
const leastIdle = 0.1
/** `max_parallel` when a configuration does not say. */
const connectionsOfNode = 16
/** One reads what the request rests on, one commits. */
const questionsOfWrite = 2

interface Nodes {
  readonly nodes: readonly Coffer[]
  readonly token: string
  readonly postgresPid: number
  readonly folder: string
}

interface Run {
  readonly perSecond: number
  readonly errors: number
  /** Processors kept busy: by the servers together, by PostgreSQL; and idle ones. */
  readonly servers: number
  readonly postgres: number
  readonly idle: number
}

async function run(all: Nodes, count: number, { connections, seconds }: StudySetting): Promise<Run> {
  const nodes = all.nodes.slice(0, count)
  const pids = nodes.flatMap((node) => node.pids())
  const database = () => cpuSeconds(treeOf(all.postgresPid))
  const [servers, postgres, machine, begun] = [cpuSeconds(pids), database(), machineCpu(), performance.now()]
  const outcome = await load(
    {
      ...{ origins: nodes.map(({ url }) => url), headers: { 'X-Vault-Token': all.token }, shots: [shot] },
      ...{ connections: connections * most, seconds },
    },
    all.folder,
  )
  const elapsed = (performance.now() - begun) / 1000
  return {
    ...outcome,
    servers: (cpuSeconds(pids) - servers) / elapsed,
    postgres: (database() - postgres) / elapsed,
    idle: (machineCpu().idle - machine.idle) / elapsed,
  }
}

async function compare(all: Nodes, bounds: Bounds, setting: StudySetting, bench: Bench): Promise<readonly Figure[]> {
  const counts = Array.from({ length: most }, (_, n) => n + 1)
  const runs = counts.map((): Run[] => [])
  for (let n = 1; n <= setting.runs; n += 1) {
    bench.progress.step(`nodes: run ${n} of ${setting.runs}`)
    for (const count of counts) runs[count - 1]?.push(await run(all, count, setting))
  }
  const of = (count: number, pick: (run: Run) => number) => median((runs[count - 1] ?? []).map(pick))
  const rate = (count: number) => of(count, ({ perSecond }) => perSecond)
  const errors = runs.flat().reduce((sum, run) => sum + run.errors, 0)
  return [
    ...counts.flatMap((count): Figure[] => {
      const who = count === 1 ? 'one node' : `${count} nodes`
      return [
        { name: `writes, ${who}`, value: rate(count), unit: '/s' },
        { name: `processors used by ${who}`, value: of(count, ({ servers }) => servers), unit: '' },
        { name: `… by PostgreSQL`, value: of(count, ({ postgres }) => postgres), unit: '' },
        { name: `… idle`, value: of(count, ({ idle }) => idle), unit: '' },
      ]
    }),
    {
      ...{ name: `${most} nodes to one`, value: ratioOf(rate(most), rate(1)), unit: '' },
      // Else the machine's processors may be the limit: then it says nothing of nodes.
      ...(isBounded(bounds) && of(most, ({ idle }) => idle) >= leastIdle ? { limit: atLeast(nodesLimit) } : {}),
    },
    // Of nodes that are held back much of it is what goes on by itself.
    ...(isBounded(bounds)
      ? []
      : [
          {
            name: 'PostgreSQL for a write, one node',
            value: (of(1, ({ postgres }) => postgres) * 1e6) / rate(1),
            ...{ unit: 'µs', limit: below(postgresWriteLimit) },
          },
        ]),
    { name: 'errors', value: errors, unit: '', limit: { fails: 1, side: 'below' } },
  ]
}

const isBounded = ({ awayMs }: Bounds) => awayMs !== undefined

/** What held the writes back, as far as processors tell. */
function limitOf(figures: readonly Figure[], { awayMs }: Bounds): string[] {
  const [writes = 0, node = 0, postgres = 0] = figures.map(({ value }) => value)
  const idle = figures[4 * (most - 1) + 3]?.value ?? 0
  if (writes === 0) return ['The machine was too busy: one node answered no write at all.']
  const cpus = availableParallelism()
  const rest = `With ${most} nodes ${idle.toFixed(2)} of the machine's ${cpus} processors were idle.`
  if (awayMs !== undefined) {
    const atBest = (connectionsOfNode * 1000) / (questionsOfWrite * 2 * awayMs)
    return [
      `A write asks PostgreSQL ${questionsOfWrite} questions, and each takes ${awayMs * 2} ms more. So the ${connectionsOfNode} connections of a node can do ${atBest.toFixed(0)} writes/s at best: one node waits with all of them. ${rest}`,
    ]
  }
  const held =
    idle < cpus * 0.15
      ? 'its processors are the limit, and nodes, PostgreSQL and the load generator share them'
      : 'its processors are not the limit: waiting for PostgreSQL to commit is'
  const rate = (processors: number, used: number) => Math.round((processors * writes) / used).toLocaleString('en-US')
  return [
    `With ${most} nodes ${idle.toFixed(2)} of the machine's ${cpus} processors were idle: ${held}.`,
    `A write costs ${((node * 1e6) / writes).toFixed(0)} µs of a node's processor and ${((postgres * 1e6) / writes).toFixed(0)} µs of PostgreSQL's. So ${cpus} processors for both can do ${rate(cpus, node + postgres)} writes/s at best, and each processor of a PostgreSQL on a machine of its own ${rate(1, postgres)}: there it becomes the limit.`,
  ]
}

async function start(postgres: PostgresServer, url: string, bench: Bench): Promise<Nodes> {
  const nodes: Coffer[] = []
  let opened: Opened | undefined
  let token = ''
  try {
    for (let n = 0; n < most; n += 1) {
      const folder = join(bench.scratch, `node-${n}`)
      mkdirSync(folder, { recursive: true })
      const node = await startCoffer({ folder, postgres: url, auditIn: join(bench.scratch, 'node-0/audit') })
      nodes.push(node)
      if (opened) await unseal(node, opened)
      else {
        opened = await open(node, folder)
        await node.call('POST', 'sys/mounts/secret', { type: 'kv', options: { version: '2' } }, opened.rootToken)
        token = await applicationToken(node, opened.rootToken)
      }
    }
  } catch (error) {
    for (const node of nodes) await node.stop()
    throw error
  }
  const postgresPid = Number(readFileSync(join(postgres.folder, 'data/postmaster.pid'), 'utf8').split('\n')[0])
  return { nodes, token, postgresPid, folder: bench.scratch }
}

async function measureWith(name: string, title: string, bounds: Bounds, setting: StudySetting, bench: Bench) {
  const { awayMs } = bounds
  const postgres = await bench.postgres()
  const database = await postgres.newDatabase()
  const proxy = awayMs === undefined ? undefined : await startProxy(postgres.port)
  let all: Nodes | undefined
  try {
    const url = postgres.url(database).replace(`:${postgres.port}/`, `:${proxy?.port ?? postgres.port}/`)
    all = await start(postgres, url, bench)
    const nodes = all
    // Each opens its connections.
    await run(nodes, most, setting)
    proxy?.delay(awayMs ?? 0)
    const figures = await attempted(setting, bench, () => compare(nodes, bounds, setting, bench))
    return { study: name, title, figures, notes: limitOf(figures, bounds) } satisfies StudyResult
  } finally {
    for (const [n, node] of (all?.nodes ?? []).entries()) {
      await node.stop()
      rmSync(join(bench.scratch, `node-${n}`), { recursive: true, force: true })
    }
    await proxy?.close()
  }
}

const study = (name: string, title: string, bounds: Bounds): Study => ({
  ...{ name, title, ci: true, missing: missingPostgres },
  run: (setting, bench) => measureWith(name, title, bounds, setting, bench),
})

export const nodes = study('nodes', 'Writes of one string by three nodes on one PostgreSQL, beside one', {})
export const nodesAway = study('nodes-away', 'The same with a PostgreSQL that is 80 ms away', { awayMs: 40 })

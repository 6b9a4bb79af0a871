/** `npm run bench`: how fast the built server is on this machine. `--help` teaches it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type PostgresServer, startPostgres } from '../test/postgres/postgres-server.ts'
import { missingPostgres } from '../test/postgres/programs.mjs'
import { hasWrk } from './load.ts'
import { type Asked, readArguments } from './report/arguments.ts'
import { progressTo, shownRate } from './report/figures.ts'
import { helpText } from './report/help.ts'
import { machine, placed, type Report, render } from './report/report.ts'
import { type Bench, type Measured, measureScenario, type Setting } from './requests/measure.ts'
import type { Scenario } from './requests/scenario.ts'
import { scenarios } from './requests/scenarios.ts'
import { million } from './studies/million.ts'
import { nodes, nodesAway } from './studies/nodes.ts'
import { queries } from './studies/queries.ts'
import { holds, type Study, type StudyResult } from './studies/study.ts'
import { workers } from './studies/workers.ts'

const studies: readonly Study[] = [workers, million, queries, nodes, nodesAway]

interface Part {
  readonly title: string
  /** Why it can't be done here. */
  readonly missing?: string | undefined
  run(bench: Bench): Promise<void>
}

interface Results {
  readonly requests: Measured[]
  readonly studies: StudyResult[]
}

/** A measurement on a shared machine may be a bad one. */
const attempts = 4

function partsOf(asked: Asked, results: Results): readonly Part[] {
  const { connections, seconds, runs, secrets } = asked
  const times = { connections, seconds, runs, attempts: asked.reportOnly ? 1 : attempts }
  const chosen = <T extends Scenario | Study>(all: readonly T[], byDefault: boolean): readonly T[] => {
    if (asked.ci) return all.filter(({ ci }) => ci)
    return asked.names.length === 0 ? (byDefault ? all : []) : all.filter(({ name }) => asked.names.includes(name))
  }
  const settings = asked.storages.flatMap((storage) =>
    asked.workers.filter((count) => count === 1 || storage === 'lmdb').map((count) => ({ storage, workers: count })),
  )
  return [
    ...settings.flatMap((setting) =>
      chosen(scenarios, true).map((scenario) => requestPart(scenario, { ...setting, ...times }, results)),
    ),
    ...chosen(studies, false).map(
      (study): Part => ({
        title: study.title,
        missing: study.missing?.(),
        async run(bench) {
          results.studies.push(await study.run({ ...times, secrets }, bench))
        },
      }),
    ),
  ]
}

function requestPart(scenario: Scenario, setting: Setting, results: Results): Part {
  const { storage, workers: count } = setting
  return {
    title: `${scenario.title}: ${storage}${count > 1 ? `, ${count} workers` : ''}`,
    missing: storage === 'postgresql' ? missingPostgres() : undefined,
    async run(bench) {
      const measured = await measureScenario(scenario, setting, bench)
      results.requests.push(measured)
      bench.progress.note(`${shownRate(measured.ours.perSecond)}, ratio ${measured.ratio.toFixed(3)}`)
    },
  }
}

/** What must be there (COFFER_REQUIRE) and is not is no reason to skip. */
const isRequired = (program: string) => (process.env['COFFER_REQUIRE'] ?? '').split(',').includes(program)

async function measure(asked: Asked): Promise<Report> {
  const scratch = mkdtempSync(join(tmpdir(), 'coffer-bench-'))
  const progress = progressTo(process.stderr)
  let postgres: Promise<PostgresServer> | undefined
  const bench: Bench = {
    scratch,
    progress,
    postgres() {
      postgres ??= startPostgres()
      return postgres
    },
  }
  // The servers end by themselves when this process does.
  const interrupted = () => {
    const rest = postgres?.then((server) => server.close()) ?? Promise.resolve()
    void rest.finally(() => {
      rmSync(scratch, { recursive: true, force: true })
      process.exit(130)
    })
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, interrupted)
  const results: Results = { requests: [], studies: [] }
  const skipped: string[] = []
  const failed: string[] = []
  if (isRequired('wrk') && !hasWrk()) failed.push('wrk is required (COFFER_REQUIRE) and not installed')
  try {
    const parts = partsOf(asked, results)
    for (const [i, part] of parts.entries()) {
      progress.part(i + 1, parts.length, part.title)
      if (part.missing !== undefined) {
        const list = isRequired('postgres') ? failed : skipped
        list.push(`${part.title}: ${part.missing}`)
        continue
      }
      // What was measured before is worth showing.
      await part.run(bench).catch((error: unknown) => {
        failed.push(`${part.title}: ${error instanceof Error ? error.message : error}`)
      })
    }
  } finally {
    progress.end()
    await postgres?.then((server) => server.close())
    rmSync(scratch, { recursive: true, force: true })
  }
  const ok =
    failed.length === 0 &&
    results.requests.every(({ missed }) => missed.length === 0) &&
    results.studies.every(({ figures }) => figures.every(holds))
  const { connections, seconds, runs } = asked
  return { machine: machine(), connections, seconds, runs, ...results, skipped, failed, ok }
}

const asked = readArguments(process.argv.slice(2), {
  scenarios: scenarios.map(({ name }) => name),
  studies: studies.map(({ name }) => name),
})
if ('help' in asked) process.stdout.write(helpText(scenarios, studies))
else if ('problem' in asked) {
  process.stderr.write(`${asked.problem}\n\nnpm run bench -- --help shows what there is\n`)
  process.exitCode = 2
} else {
  // Before it is measured for half an hour.
  const document = asked.into === undefined ? undefined : readFileSync(asked.into, 'utf8')
  if (document !== undefined) placed(document, '')
  const report = await measure(asked)
  const text = render(report, asked.format)
  if (asked.into !== undefined && document !== undefined) writeFileSync(asked.into, placed(document, text))
  else process.stdout.write(text)
  if (!report.ok && !asked.reportOnly) process.exitCode = 1
}

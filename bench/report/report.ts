/** Everything that was measured, and on what: for people, for documents, for programs. */
import { cpus, totalmem } from 'node:os'
import { type Limit, ratioLimit } from '../limits.ts'
import { hasWrk } from '../load.ts'
import { limitsHold, type Measured } from '../requests/measure.ts'
import { type Figure, holds, type StudyResult } from '../studies/study.ts'
import type { Asked } from './arguments.ts'
import { shownMs, shownRate } from './figures.ts'

export interface Report {
  readonly machine: {
    readonly processors: number
    readonly model: string
    readonly memoryGb: number
    readonly node: string
    readonly load: 'wrk' | 'autocannon'
  }
  readonly connections: number
  readonly seconds: number
  readonly runs: number
  readonly requests: readonly Measured[]
  readonly studies: readonly StudyResult[]
  /** With the reason. */
  readonly skipped: readonly string[]
  /** What could not be measured although it must, with the reason. */
  readonly failed: readonly string[]
  readonly ok: boolean
}

export function machine(): Report['machine'] {
  const [first] = cpus()
  return {
    processors: cpus().length,
    model: first?.model.trim() ?? 'unknown',
    memoryGb: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    load: hasWrk() ? 'wrk' : 'autocannon',
  }
}

export function render(report: Report, format: Asked['format']): string {
  if (format === 'json') return `${JSON.stringify(report, undefined, 2)}\n`
  return format === 'markdown' ? asMarkdown(report) : asText(report)
}

type Row = readonly string[]

const requestHead: Row = [
  ...['request', 'storage', 'workers', 'requests/s', 'p50 ms', 'p99 ms'],
  ...['CPU µs each', 'RssAnon MB', 'bare/s', 'bare CPU µs', 'ratio', 'limit', 'asked', 'aim'],
]

function requestRow(measured: Measured, connections: number): Row {
  const { scenario, storage, workers, ours, bare, ratio } = measured
  const limit: Limit = limitsHold({ storage, workers, connections }) ? (ratioLimit(scenario) ?? {}) : {}
  return [
    ...[scenario, storage, `${workers}`, shownRate(ours.perSecond).replace('/s', '')],
    ...[shownMs(ours.p50Ms), shownMs(ours.p99Ms), ours.cpuMicros.toFixed(0), ours.rssAnonMb.toFixed(0)],
    ...[shownRate(bare.perSecond).replace('/s', ''), bare.cpuMicros.toFixed(0), ratio.toFixed(3)],
    ...[limit.fails, limit.required, limit.aim].map((value) =>
      value === undefined ? '' : value.toFixed(3).replace(/0$/, ''),
    ),
  ]
}

function shownFigure({ value, unit }: Figure): string {
  if (unit === '/s') return shownRate(value)
  if (Number.isInteger(value)) return `${value}${unit ? ` ${unit}` : ''}`
  if (unit === '') return value.toFixed(2)
  return `${value.toFixed(0)} ${unit}`
}

function shownLimit({ limit }: Figure): string {
  if (!limit) return ''
  const asked = limit.required !== undefined && limit.required !== limit.fails ? `asked ${limit.required}` : ''
  const fails = limit.fails === undefined ? limit.side : `${limit.side} ${limit.fails}`
  return [fails, asked].filter(Boolean).join(', ')
}

const method = ({ machine, connections, seconds, runs }: Report) =>
  `${machine.processors} processors (${machine.model}), ${machine.memoryGb} GB, Node.js ${machine.node}, ${machine.load}; ${connections} connections, medians of ${runs} interleaved runs of ${seconds} s, file audit on, TLS off`

function asText(report: Report): string {
  const lines = [method(report), '']
  if (report.requests.length > 0) {
    const rows = report.requests.map((one) => requestRow(one, report.connections))
    const table = [requestHead, ...rows]
    const widths = table[0]?.map((_, column) => Math.max(...table.map((row) => (row[column] ?? '').length))) ?? []
    const pad = (cell: string, i: number) => (i < 2 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))
    lines.push(...table.map((row) => row.map(pad).join('  ').trimEnd()), '')
    const missed = report.requests.flatMap((one) =>
      one.missed.map((what) => `FAIL ${one.scenario} on ${one.storage}: ${what}`),
    )
    if (missed.length > 0) lines.push(...missed, '')
  }
  for (const { title, figures, notes } of report.studies) {
    lines.push(title)
    for (const figure of figures) {
      const limit = shownLimit(figure)
      const judged = figure.limit?.fails === undefined ? '' : holds(figure) ? 'ok  ' : 'FAIL'
      const verdict = limit === '' ? '' : `  ${judged} (${limit})`
      lines.push(`  ${figure.name.padEnd(42)} ${shownFigure(figure).padStart(12)}${verdict}`)
    }
    lines.push(...notes.map((note) => `  ${note}`), '')
  }
  for (const reason of report.skipped) lines.push(`skipped: ${reason}`)
  for (const reason of report.failed) lines.push(`FAIL ${reason}`)
  return `${lines.join('\n').trimEnd()}\n`
}

function asMarkdown(report: Report): string {
  const table = (head: Row, rows: readonly Row[]) =>
    [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`)
  const lines = [`${method(report)}.`, '']
  if (report.requests.length > 0) {
    const rows = report.requests.map((one) => requestRow(one, report.connections))
    lines.push(...table(requestHead, rows), '')
  }
  for (const { title, figures, notes } of report.studies) {
    lines.push(`**${title}**`, '')
    const rows = figures
      .filter(({ name }) => name !== 'errors')
      .map((figure) => [figure.name, shownFigure(figure), shownLimit(figure)])
    lines.push(...table(['', 'measured', 'limit'], rows), '')
    lines.push(...notes.flatMap((note) => [note, '']))
  }
  for (const reason of [...report.skipped, ...report.failed]) lines.push(`Not measured: ${reason}`, '')
  return `${lines.join('\n').trimEnd()}\n`
}

const marks = {
  begin: '<!-- measured: npm run bench -- --all --into FILE -->',
  end: '<!-- end of what was measured -->',
}

/** The document with the text at the marked place. Throws when the place is not marked. */
export function placed(document: string, text: string): string {
  const [begin, end] = [document.indexOf(marks.begin), document.indexOf(marks.end)]
  if (begin < 0 || end < begin) throw new Error(`there is no line ${marks.begin} with ${marks.end} after it`)
  return `${document.slice(0, begin)}${marks.begin}\n\n${text}\n${document.slice(end)}`
}

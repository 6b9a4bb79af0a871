/** Lays a policy out the one way: two spaces, one item a line, `=` in columns. Comments stay, and so does the meaning. */
import { Refusal } from '../../contracts/request.ts'
import { parsePolicy } from '../parse-policy.ts'
import type { Policy } from '../policy.ts'
import { type Entry, type ListValue, readLayout, type Value } from './layout.ts'

/** Refusal 400 "failed to parse policy: …" for what is no policy, and for JSON, which has its own formatters. */
export function formatPolicy(text: string): string {
  const before = parsePolicy('p', text)
  if (/^\s*\{/.test(text)) throw new Refusal(400, 'a policy in JSON is not formatted: only HCL is')
  const lines = printEntries(readLayout(text), '')
  const formatted = lines.length === 0 ? '' : `${lines.join('\n')}\n`
  if (meaning(parsePolicy('p', formatted)) !== meaning(before)) throw new Error('formatting would change the policy')
  return formatted
}

/** Everything of the rules but where they stand. */
function meaning(policy: Policy): string {
  return JSON.stringify(policy.rules, (key, value) => {
    if (key === 'line') return undefined
    return value instanceof Map ? [...value] : value
  })
}

function printEntries(entries: readonly Entry[], indent: string): string[] {
  const lines: string[] = []
  const widths = columnsOf(entries)
  for (const [i, entry] of entries.entries()) {
    const printed = entry.kind === 'comment' ? entry.text.split('\n') : printItem(entry, indent, widths.get(entry) ?? 0)
    const previous = entries[i - 1]
    if (previous && (entry.blankBefore || needsGap(previous, entry))) lines.push('')
    lines.push(...printed.map((line, n) => (n === 0 ? indent + line : line)))
  }
  return lines
}

/** Between blocks of several lines, unless a comment stands between them. */
function needsGap(previous: Entry, entry: Entry): boolean {
  if (previous.kind === 'comment') return false
  return isBlock(previous) && (entry.kind === 'comment' || isBlock(entry))
}

const isBlock = (entry: Entry) => entry.kind === 'item' && !entry.assigned

/** Consecutive assignments that fit on a line share the column of their `=`. */
function columnsOf(entries: readonly Entry[]): Map<Entry, number> {
  const widths = new Map<Entry, number>()
  let group: Entry[] = []
  const close = () => {
    const widest = Math.max(0, ...group.map((entry) => (entry.kind === 'item' ? entry.keys.join(' ').length : 0)))
    for (const entry of group) widths.set(entry, widest)
    group = []
  }
  for (const entry of entries) {
    const simple = entry.kind === 'item' && entry.assigned && !isTall(entry.value)
    if (!simple || entry.blankBefore) close()
    if (simple) group.push(entry)
  }
  close()
  return widths
}

function isTall(value: Value): boolean {
  if (value.kind === 'text') return value.text.includes('\n')
  if (value.kind === 'list') return isTallList(value)
  return value.entries.length > 0
}

const isTallList = (list: ListValue) => list.tall || list.elements.some((e) => e.kind === 'comment' || isTall(e))

function printItem(entry: Extract<Entry, { kind: 'item' }>, indent: string, width: number): string[] {
  const head = entry.keys.join(' ')
  const start = entry.assigned ? `${head.padEnd(width)} = ` : `${head} `
  const value = printValue(entry.value, indent)
  const lines = [start + (value[0] ?? ''), ...value.slice(1)]
  if (entry.trailing === undefined) return lines
  return [...lines.slice(0, -1), `${lines.at(-1)} ${entry.trailing}`]
}

function printValue(value: Value, indent: string): string[] {
  const deeper = `${indent}  `
  if (value.kind === 'text') return value.text.split('\n')
  if (value.kind === 'object') {
    if (value.entries.length === 0) return ['{}']
    return ['{', ...printEntries(value.entries, deeper), `${indent}}`]
  }
  if (!isTallList(value)) {
    return [
      `[${value.elements.map((element) => (element.kind === 'comment' ? '' : printValue(element, indent).join(''))).join(', ')}]`,
    ]
  }
  const lines = value.elements.flatMap((element) => {
    if (element.kind === 'comment') return [deeper + element.text]
    const printed = printValue(element, deeper)
    return [...printed.slice(0, -1), `${printed.at(-1)},`].map((line, i) => (i === 0 ? deeper + line : line))
  })
  return ['[', ...lines, `${indent}]`]
}

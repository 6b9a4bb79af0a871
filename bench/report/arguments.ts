/** What the command is asked for. */
import { parseArgs } from 'node:util'
import { limitsHoldFor } from '../limits.ts'
import type { Setting } from '../requests/measure.ts'

export interface Asked {
  /** Of scenarios and studies; empty: the scenarios. */
  readonly names: readonly string[]
  readonly storages: readonly Setting['storage'][]
  readonly workers: readonly number[]
  readonly connections: number
  readonly seconds: number
  readonly runs: number
  readonly secrets: number
  readonly format: 'text' | 'json' | 'markdown'
  /** The document whose marked part the Markdown replaces. */
  readonly into?: string
  /** A missed limit is told and does not fail. */
  readonly reportOnly: boolean
  readonly ci: boolean
}

export type Arguments = Asked | { readonly help: true } | { readonly problem: string }

interface Known {
  readonly scenarios: readonly string[]
  readonly studies: readonly string[]
}

const options = {
  seconds: { type: 'string' },
  runs: { type: 'string' },
  connections: { type: 'string' },
  storage: { type: 'string' },
  workers: { type: 'string' },
  secrets: { type: 'string' },
  format: { type: 'string' },
  markdown: { type: 'boolean' },
  into: { type: 'string' },
  all: { type: 'boolean' },
  ci: { type: 'boolean' },
  report: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

class Problem extends Error {}

export function readArguments(args: readonly string[], known: Known): Arguments {
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true })
    if (values.help) return { help: true }
    const all = [...known.scenarios, ...known.studies]
    const unknown = positionals.find((name) => !all.includes(name))
    if (unknown !== undefined) throw new Problem(`there is no "${unknown}"; there are ${all.join(', ')}`)
    const short = [values.ci && '--ci', values.all && '--all'].filter(Boolean)
    if (short.length > 0 && positionals.length > 0) throw new Problem(`${short[0]} says which: give no names with it`)
    if (short.length > 1) throw new Problem('give --ci or --all, not both')
    return {
      names: values.all ? all : positionals,
      storages: storagesOf(values.storage ?? (values.all ? 'lmdb,postgresql' : 'lmdb')),
      workers: listOf('workers', values.workers ?? (values.all ? '1,2' : '1'), 1, 64),
      connections: numberOf('connections', values.connections ?? `${limitsHoldFor.connections}`, 1, 10_000),
      seconds: numberOf('seconds', values.seconds ?? (values.ci ? '2' : '3'), 1, 3600),
      runs: numberOf('runs', values.runs ?? '5', 1, 99),
      secrets: numberOf('secrets', values.secrets ?? '1000000', 1000, 100_000_000),
      format: formatOf(values.format, values.markdown === true || values.into !== undefined),
      ...(values.into === undefined ? {} : { into: values.into }),
      reportOnly: values.report ?? false,
      ci: values.ci ?? false,
    }
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) }
  }
}

function numberOf(name: string, text: string, least: number, most: number): number {
  const number = Number(text)
  if (text.trim() !== '' && Number.isInteger(number) && number >= least && number <= most) return number
  throw new Problem(`--${name} is "${text}": it must be a whole number from ${least} to ${most}`)
}

const listOf = (name: string, text: string, least: number, most: number) =>
  text.split(',').map((part) => numberOf(name, part, least, most))

function storagesOf(text: string): Setting['storage'][] {
  return text.split(',').map((part) => {
    if (part === 'lmdb' || part === 'postgresql') return part
    throw new Problem(`--storage is "${part}": it must be lmdb, postgresql or both with a comma between`)
  })
}

function formatOf(text: string | undefined, markdown: boolean): Asked['format'] {
  if (markdown && text !== undefined && text !== 'markdown') {
    throw new Problem(`--format=${text} and --markdown or --into contradict each other`)
  }
  if (text === undefined) return markdown ? 'markdown' : 'text'
  if (text === 'text' || text === 'json' || text === 'markdown') return text
  throw new Problem(`--format is "${text}": it must be text, json or markdown`)
}

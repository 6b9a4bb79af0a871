/** When a cron schedule comes due, as the library of Kubernetes reads it (robfig/cron): the arithmetic is croner's. */
import { Cron } from 'croner'

export interface Schedule {
  /** The first time after `ms`; undefined: there is none. */
  next(ms: number): number | undefined
}

const descriptors: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
}

/** Throws on a schedule that cannot be read; the API server takes none such. */
export function readSchedule(text: string, timeZone: string | undefined): Schedule {
  const every = /^@every (.+)$/.exec(text)
  if (every) return everySchedule(every[1] ?? '')
  const cron = new Cron(pattern(descriptors[text] ?? text), {
    paused: true,
    timezone: timeZone ?? 'UTC',
    mode: '5-part',
  })
  return { next: (ms) => cron.nextRun(new Date(ms))?.getTime() }
}

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
const fields: readonly { readonly least: number; readonly most: number; readonly names?: readonly string[] }[] = [
  { least: 0, most: 59 },
  { least: 0, most: 23 },
  { least: 1, most: 31 },
  { least: 1, most: 12, names: months },
  { least: 0, most: 6, names: days },
]

/**
 * In the plainest words of croner, which reads ranges, steps and stars in lists otherwise: "*" or all the numbers. Each minute is
 * a range with a step: only then is a time that a change of the clock leaves out left out, and one that comes twice taken twice.
 */
function pattern(text: string): string {
  return text
    .trim()
    .split(/\s+/)
    .map((field, index) => {
      const parts = field.split(',').filter((part) => part !== '')
      if (parts.some((part) => /^[*?](-.*)?(\/0*1)?$/.test(part))) return '*'
      const numbers = [...new Set(parts.flatMap((part) => numbersOf(part, index)))].sort((a, b) => a - b)
      return numbers.map((number) => (index === 0 ? `${number}-${number}/1` : number)).join(',')
    })
    .join(' ')
}

/** "5/15" is "5-59/15". Numbers that there are not are left for croner to refuse. */
function numbersOf(part: string, field: number): number[] {
  const { least = 0, most = 0, names = [] } = fields[field] ?? {}
  const [range = '', step] = part.split('/')
  const value = (text: string) => {
    const named = names.indexOf(text.toLowerCase())
    return named >= 0 ? named + least : Number(text)
  }
  const [first = '', second] = range.split('-')
  const every = first === '*' || first === '?'
  const start = every ? least : value(first)
  const end = every ? most : second !== undefined ? value(second) : step === undefined ? start : most
  const stride = Number(step ?? 1)
  if (![start, end, stride].every(Number.isInteger) || stride < 1) throw new Error(`no such numbers: ${part}`)
  const out: number[] = []
  for (let number = start; number <= Math.min(end, most + 1); number += stride) out.push(number)
  return out
}

const units: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1, us: 0, µs: 0, ns: 0 }

/** From whenever it is asked, in whole seconds, at least one. */
function everySchedule(duration: string): Schedule {
  let ms = 0
  for (const [, amount, unit = ''] of duration.matchAll(/(\d+(?:\.\d*)?|\.\d+)(h|ms|m|us|µs|ns|s)/g))
    ms += Number(amount) * (units[unit] ?? 0)
  const delayMs = duration.startsWith('-') ? 1000 : Math.max(1000, Math.floor(ms / 1000) * 1000)
  return { next: (now) => Math.floor(now / 1000) * 1000 + delayMs }
}

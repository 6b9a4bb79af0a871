/** What is wrong with a cron schedule, in the words of the library that Kubernetes reads one with (robfig/cron, ParseStandard). */

interface Bounds {
  readonly least: number
  readonly most: number
  readonly names?: readonly string[]
}

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
const fields: readonly Bounds[] = [
  { least: 0, most: 59 },
  { least: 0, most: 23 },
  { least: 1, most: 31 },
  { least: 1, most: 12, names: months },
  { least: 0, most: 6, names: days },
]
const descriptors = ['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly']

export function scheduleProblem(schedule: string): string | undefined {
  const zoned = /^(?:TZ|CRON_TZ)=(\S*) (.*)$/s.exec(schedule)
  const text = zoned ? (zoned[2] ?? '').trim() : schedule
  if (text.startsWith('@')) return descriptorProblem(text)
  const parts = text.split(/\s+/).filter((part) => part !== '')
  if (parts.length !== fields.length)
    return `expected exactly ${fields.length} fields, found ${parts.length}: [${parts.join(' ')}]`
  for (const [index, bounds] of fields.entries()) {
    const problem = fieldProblem(parts[index] ?? '', bounds)
    if (problem) return problem
  }
  return undefined
}

function fieldProblem(field: string, bounds: Bounds): string | undefined {
  for (const range of field.split(',').filter((part) => part !== '')) {
    const problem = rangeProblem(range, bounds)
    if (problem) return problem
  }
  return undefined
}

function rangeProblem(range: string, bounds: Bounds): string | undefined {
  const [low = '', ...steps] = range.split('/')
  const ends = endsOf(low, range, bounds)
  if (typeof ends === 'string') return ends
  if (steps.length > 1) return `too many slashes: ${range}`
  const step = steps[0] === undefined ? 1 : numberOf(steps[0])
  if (typeof step === 'string') return step
  const { least, most } = bounds
  const [start, last] = ends
  // "5/10" is from 5 on.
  const end = last ?? (steps.length === 1 ? most : start)
  if (start < least) return `beginning of range (${start}) below minimum (${least}): ${range}`
  if (end > most) return `end of range (${end}) above maximum (${most}): ${range}`
  if (start > end) return `beginning of range (${start}) beyond end of range (${end}): ${range}`
  return step === 0 ? `step of range should be a positive number: ${range}` : undefined
}

/** Or what is wrong with them. */
function endsOf(text: string, range: string, { least, most, names }: Bounds): [number, number | undefined] | string {
  const [first = '', second, ...more] = text.split('-')
  if (first === '*' || first === '?') return [least, most]
  const start = numberOf(first, names)
  if (typeof start === 'string') return start
  if (more.length > 0) return `too many hyphens: ${range}`
  const end = second === undefined ? undefined : numberOf(second, names)
  return typeof end === 'string' ? end : [start, end]
}

/** Or what is wrong with it. */
function numberOf(text: string, names: readonly string[] = []): number | string {
  const named = names.indexOf(text.toLowerCase())
  // Months count from one, weekdays from zero.
  if (named >= 0) return names === months ? named + 1 : named
  if (!/^[+-]?\d+$/.test(text))
    return `failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`
  const value = Number(text)
  if (!Number.isSafeInteger(value))
    return `failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: value out of range`
  return value < 0 ? `negative number (${value}) not allowed: ${text}` : value
}

function descriptorProblem(text: string): string | undefined {
  if (descriptors.includes(text)) return undefined
  if (!text.startsWith('@every ')) return `unrecognized descriptor: ${text}`
  const duration = text.slice('@every '.length)
  const problem = durationProblem(duration)
  return problem && `failed to parse duration ${text}: ${problem}`
}

/** In the words of Go's time.ParseDuration. */
function durationProblem(text: string): string | undefined {
  const quoted = JSON.stringify(text)
  const plain = /^[+-]/.test(text) ? text.slice(1) : text
  if (plain === '0') return undefined
  if (plain === '') return `time: invalid duration ${quoted}`
  let rest = plain
  while (rest !== '') {
    const part = /^(\d+\.?\d*|\.\d+)([^.\d]*)/.exec(rest)
    if (!part) return `time: invalid duration ${quoted}`
    const unit = part[2] ?? ''
    if (unit === '') return `time: missing unit in duration ${quoted}`
    if (!['ns', 'us', 'µs', 'μs', 'ms', 's', 'm', 'h'].includes(unit))
      return `time: unknown unit ${JSON.stringify(unit)} in duration ${quoted}`
    rest = rest.slice(part[0].length)
  }
  return undefined
}

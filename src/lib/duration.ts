/** Durations as Go and Vault write them. All results are milliseconds. */

const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
}

/** 2^63 ns, about 292 years: what Go's durations can hold, and what a date can be moved by. */
const maxMs = 9_223_372_036_854

/** Go's time.ParseDuration ("1h30m", "1.5h", "-30s", "0"); undefined if it isn't one or is longer than 292 years. */
export function parseGoDuration(text: string): number | undefined {
  const match = /^([+-]?)(.+)$/.exec(text)
  if (!match) return undefined
  const [, sign, rest = ''] = match
  if (rest === '0') return 0
  const part = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/y
  let total = 0
  let end = 0
  for (;;) {
    const piece = part.exec(rest)
    if (!piece) break
    total += Number(piece[1]) * (unitMs[piece[2] ?? ''] ?? Number.NaN)
    end = part.lastIndex
  }
  if (end !== rest.length || end === 0 || total > maxMs) return undefined
  return sign === '-' ? -total : total
}

/** Vault's parseutil.ParseDurationSecond: a number or digits are seconds, "2d" are days, the rest is Go's form. */
export function parseVaultDuration(value: unknown): number | undefined {
  if (typeof value === 'number') return bounded(value * 1000)
  if (typeof value !== 'string') return undefined
  const text = value.trim()
  if (text === '') return 0
  if (/^[+-]?\d+$/.test(text)) return bounded(Number(text) * 1000)
  const days = /^([+-]?\d+)d$/.exec(text)
  if (days) return bounded(Number(days[1]) * 86_400_000)
  return parseGoDuration(text)
}

const bounded = (ms: number) => (Math.abs(ms) <= maxMs ? ms : undefined)

/** Go's Duration.String for whole milliseconds: 3600000 -> "1h0m0s", 1500 -> "1.5s", 0 -> "0s". */
export function formatGoDuration(ms: number): string {
  if (ms === 0) return '0s'
  const sign = ms < 0 ? '-' : ''
  let rest = Math.abs(ms)
  if (rest < 1000) return `${sign}${rest}ms`
  const hours = Math.floor(rest / 3_600_000)
  rest -= hours * 3_600_000
  const minutes = Math.floor(rest / 60_000)
  rest -= minutes * 60_000
  const seconds = `${rest / 1000}s`
  if (hours > 0) return `${sign}${hours}h${minutes}m${seconds}`
  if (minutes > 0) return `${sign}${minutes}m${seconds}`
  return `${sign}${seconds}`
}

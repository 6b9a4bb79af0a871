import type { GoFunction, Value } from '../../gotemplate/value.ts'
import type { Clock } from '../../lib/clock.ts'

/** consul-template's functions that look at the process and the time. */
export function environmentFunctions(
  env: Readonly<Record<string, string | undefined>>,
  clock: Pick<Clock, 'now'>,
): Readonly<Record<string, GoFunction>> {
  const find = (name: Value) => (Object.hasOwn(env, String(name)) ? env[String(name)] : undefined)
  const get = (name: Value) => find(name) ?? ''
  return {
    env: { params: ['string'], call: get },
    envOrDefault: { params: ['string', 'string'], call: (name, otherwise) => get(name) || String(otherwise) },
    mustEnv: {
      params: ['string'],
      call: (name) => {
        const value = find(name)
        // The name may have come out of a secret; one that is written in the template stands in the error's place.
        if (value === undefined) throw new Error('the environment has no such variable')
        return value
      },
    },
    timestamp: { params: [], rest: 'string', call: (...layouts) => timestamp(new Date(clock.now()), layouts) },
  }
}

function timestamp(now: Date, layouts: readonly Value[]): string {
  const [layout = '2006-01-02T15:04:05Z07:00'] = layouts
  if (layouts.length > 1)
    throw new Error(`timestamp: wrong number of arguments, expected 0 or 1, but got ${layouts.length}`)
  if (layout === 'unix') return String(Math.floor(now.getTime() / 1000))
  return formatTime(now, String(layout))
}

const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]
const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const pieces =
  /2006|January|Jan|Monday|Mon|MST|Z07:00|Z0700|-07:00|-0700|[.,]0+(?![0-9])|[.,]9+(?![0-9])|002|01|02|03|04|05|06|15|PM|pm|_2|1|2|3|4|5/g

/** time.Format, in UTC. */
function formatTime(t: Date, layout: string): string {
  const two = (n: number) => String(n).padStart(2, '0')
  const hour12 = t.getUTCHours() % 12 || 12
  const known: Readonly<Record<string, string>> = {
    '2006': String(t.getUTCFullYear()).padStart(4, '0'),
    '06': two(t.getUTCFullYear() % 100),
    January: months[t.getUTCMonth()] ?? '',
    Jan: months[t.getUTCMonth()]?.slice(0, 3) ?? '',
    '01': two(t.getUTCMonth() + 1),
    '1': String(t.getUTCMonth() + 1),
    Monday: days[t.getUTCDay()] ?? '',
    Mon: days[t.getUTCDay()]?.slice(0, 3) ?? '',
    '02': two(t.getUTCDate()),
    _2: String(t.getUTCDate()).padStart(2),
    '2': String(t.getUTCDate()),
    '002': String(dayOfYear(t)).padStart(3, '0'),
    '15': two(t.getUTCHours()),
    '03': two(hour12),
    '3': String(hour12),
    '04': two(t.getUTCMinutes()),
    '4': String(t.getUTCMinutes()),
    '05': two(t.getUTCSeconds()),
    '5': String(t.getUTCSeconds()),
    PM: t.getUTCHours() < 12 ? 'AM' : 'PM',
    pm: t.getUTCHours() < 12 ? 'am' : 'pm',
    MST: 'UTC',
    'Z07:00': 'Z',
    Z0700: 'Z',
    '-07:00': '+00:00',
    '-0700': '+0000',
  }
  return layout.replace(pieces, (piece) => known[piece] ?? fraction(t, piece))
}

/** ".000" keeps its zeros, ".999" drops those at the end. */
function fraction(t: Date, piece: string): string {
  const digits = String(t.getUTCMilliseconds())
    .padStart(3, '0')
    .padEnd(9, '0')
    .slice(0, piece.length - 1)
  if (piece[1] === '0') return piece[0] + digits
  const kept = digits.replace(/0+$/, '')
  return kept === '' ? '' : piece[0] + kept
}

const dayOfYear = (t: Date) => Math.floor((t.getTime() - Date.UTC(t.getUTCFullYear(), 0, 1)) / 86_400_000) + 1

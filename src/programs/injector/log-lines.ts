import type { Writable } from 'node:stream'
import type { Clock } from '../../lib/clock.ts'
import type { LogFields, Logger } from '../../lib/log.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
const order: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']

/** One line for each event: JSON, or `<time> [LEVEL] event key=value` for people. */
export function lineLogger(options: {
  readonly stream: Writable
  readonly level: LogLevel
  readonly format: 'standard' | 'json'
  readonly clock: Clock
  readonly fields?: LogFields
}): Logger {
  const { stream, level, format, clock, fields = {} } = options
  const write = (at: LogLevel) => (event: string, more?: LogFields) => {
    if (order.indexOf(at) < order.indexOf(level)) return
    const time = new Date(clock.now()).toISOString()
    const all = { ...fields, ...more }
    stream.write(
      `${format === 'json' ? JSON.stringify({ time, level: at, event, ...all }) : forPeople(time, at, event, all)}\n`,
    )
  }
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    with: (more) => lineLogger({ ...options, fields: { ...fields, ...more } }),
  }
}

function forPeople(time: string, level: LogLevel, event: string, fields: LogFields): string {
  const pairs = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(
      ([name, value]) =>
        ` ${name}=${typeof value === 'string' && /^[\w./:-]+$/.test(value) ? value : JSON.stringify(value)}`,
    )
  return `${time} [${level.toUpperCase()}] ${event}${pairs.join('')}`
}

import type { Writable } from 'node:stream'
import type { Clock } from '../../lib/clock.ts'
import { hclogLine } from '../../lib/hclog-line.ts'
import type { LogFields, Logger } from '../../lib/log.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
const order: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']

/** One line for each event, in the two shapes of vault-k8s. */
export function lineLogger(options: {
  readonly stream: Writable
  readonly level: LogLevel
  readonly format: 'standard' | 'json'
  readonly clock: Pick<Clock, 'now'>
  readonly fields?: LogFields
}): Logger {
  const { stream, level, format, clock, fields = {} } = options
  const write = (at: LogLevel) => (event: string, more?: LogFields) => {
    if (order.indexOf(at) < order.indexOf(level)) return
    const line = { at: clock.now(), level: at, name: '', message: event, fields: { ...fields, ...more } }
    stream.write(`${hclogLine(line, format)}\n`)
  }
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    with: (more) => lineLogger({ ...options, fields: { ...fields, ...more } }),
  }
}

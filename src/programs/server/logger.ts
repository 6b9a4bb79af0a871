/** The operational log: JSON lines, written at once so that none is lost when the process ends. */
import { pino } from 'pino'
import type { LogFields, Logger } from '../../lib/log.ts'
import type { LogLevel } from './configuration.ts'

export function createLogger(options: {
  readonly level: LogLevel
  readonly write: (line: string) => void
  readonly name: string
}): Logger {
  const base = pino(
    {
      level: options.level,
      base: { program: options.name },
      timestamp: pino.stdTimeFunctions.isoTime,
      messageKey: 'event',
      formatters: { level: (level) => ({ level }) },
    },
    { write: options.write },
  )
  return wrap(base)
}

function wrap(to: Pick<ReturnType<typeof pino>, 'debug' | 'info' | 'warn' | 'error' | 'child'>): Logger {
  return {
    debug: (event: string, fields: LogFields = {}) => to.debug(fields, event),
    info: (event: string, fields: LogFields = {}) => to.info(fields, event),
    warn: (event: string, fields: LogFields = {}) => to.warn(fields, event),
    error: (event: string, fields: LogFields = {}) => to.error(fields, event),
    with: (fields) => wrap(to.child(fields)),
  }
}

import type { Clock } from '../lib/clock.ts'
import type { LogLevel } from './config/agent-config.ts'

export type Fields = Readonly<Record<string, string | number | boolean | undefined>>

/** The agent's log in the two shapes that Vault's has and that people search in. Never values, tokens or bodies. */
export interface AgentLog {
  debug(message: string, fields?: Fields): void
  info(message: string, fields?: Fields): void
  warn(message: string, fields?: Fields): void
  error(message: string, fields?: Fields): void
  named(name: string): AgentLog
  /** For this logger and all that share its origin. */
  setLevel(level: LogLevel): void
}

const ranks: Readonly<Record<LogLevel, number>> = { trace: 0, debug: 1, info: 2, warn: 3, error: 4 }

export function createLog(o: {
  level: LogLevel
  format: 'standard' | 'json'
  clock: Pick<Clock, 'now'>
  write: (line: string) => void
}): AgentLog {
  const state = { level: o.level }
  const line = o.format === 'json' ? jsonLine : standardLine
  const make = (name: string): AgentLog => {
    const log =
      (level: LogLevel) =>
      (message: string, fields: Fields = {}) => {
        if (ranks[level] < ranks[state.level]) return
        const at = new Date(o.clock.now()).toISOString()
        o.write(`${line({ at, level, name, message, fields })}\n`)
      }
    return {
      debug: log('debug'),
      info: log('info'),
      warn: log('warn'),
      error: log('error'),
      named: (child) => make(name ? `${name}.${child}` : child),
      setLevel: (level) => {
        state.level = level
      },
    }
  }
  return make('agent')
}

interface Line {
  readonly at: string
  readonly level: LogLevel
  readonly name: string
  readonly message: string
  readonly fields: Fields
}

/** `2026-01-02T03:04:05.678Z [INFO]  agent.auth.handler: authenticating: key=value` */
function standardLine({ at, level, name, message, fields }: Line): string {
  const pairs = Object.entries(fields).flatMap(([key, value]) =>
    value === undefined ? [] : [`${key}=${quoted(String(value))}`],
  )
  const tail = pairs.length > 0 ? `: ${pairs.join(' ')}` : ''
  return `${at} ${`[${level.toUpperCase()}]`.padEnd(7)} ${name}: ${oneLine(message)}${tail}`
}

const quoted = (text: string): string => (/[\s"=]/.test(text) || text === '' ? JSON.stringify(text) : text)
const oneLine = (text: string): string =>
  text
    .split('\n')
    .map((line) => line.trim())
    .join(' ')

function jsonLine({ at, level, name, message, fields }: Line): string {
  return JSON.stringify({ '@level': level, '@message': message, '@module': name, '@timestamp': at, ...fields })
}

import type { Clock } from '../lib/clock.ts'
import { hclogLine } from '../lib/hclog-line.ts'
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
  const make = (name: string): AgentLog => {
    const log =
      (level: Exclude<LogLevel, 'trace'>) =>
      (message: string, fields: Fields = {}) => {
        if (ranks[level] < ranks[state.level]) return
        o.write(`${hclogLine({ at: o.clock.now(), level, name, message, fields }, o.format)}\n`)
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

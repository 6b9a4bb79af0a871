import type { LogLine } from '../../lib/hclog-line.ts'

export type LogLevel = LogLine['level']

const names: Readonly<Record<string, LogLevel>> = {
  trace: 'debug',
  debug: 'debug',
  info: 'info',
  notice: 'info',
  warn: 'warn',
  warning: 'warn',
  err: 'error',
  error: 'error',
}

/** Vault's names of levels; there is no `trace` here: it means `debug`. */
export function parseLogLevel(text: string): LogLevel | undefined {
  const name = text.trim().toLowerCase()
  return Object.hasOwn(names, name) ? names[name] : undefined
}

/** The operational log while it is running: how loud each logger is, and who else listens. */
export interface LogControl {
  /** By logger. */
  levels(): Readonly<Record<string, LogLevel>>
  /** One logger, or all. False when there is none of that name. */
  set(level: LogLevel, name?: string): boolean
  /** Back to what the configuration says. */
  reset(name?: string): boolean
  /** Lines of this level and above, whatever the loggers' own levels are. The returned function ends it. */
  tap(level: LogLevel, listener: (line: LogLine) => void): () => void
}

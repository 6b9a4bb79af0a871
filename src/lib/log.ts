/** Operational log: an event name and fields, never values, tokens or bodies. info = state changed, warn = will retry, error = a person must act. */
export interface Logger {
  debug(event: string, fields?: LogFields): void
  info(event: string, fields?: LogFields): void
  warn(event: string, fields?: LogFields): void
  error(event: string, fields?: LogFields): void
  /** A logger whose lines all carry `fields`. */
  with(fields: LogFields): Logger
}

export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined | readonly string[]>>

export const silentLog: Logger = { debug() {}, info() {}, warn() {}, error() {}, with: () => silentLog }

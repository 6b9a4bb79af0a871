/** The operational log: written at once so that none is lost when the process ends; its levels can be changed while it runs. */
import { pino } from 'pino'
import { type Clock, systemClock } from '../../../lib/clock.ts'
import { hclogLine, type LogLine } from '../../../lib/hclog-line.ts'
import type { LogFields, Logger } from '../../../lib/log.ts'
import type { LogControl, LogLevel } from '../../../server/telemetry/log-control.ts'
import type { LogFormat } from '../configuration.ts'

const ranks: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 }

export interface LogOptions {
  /** Of the configuration: where `reset` goes back to. */
  readonly level: LogLevel
  /** `coffer`: JSON with level, time, program, event; the others as Vault's hclog. */
  readonly format: LogFormat
  /** The program's: "server". Its own logger has this name. */
  readonly name: string
  readonly clock: Clock
  readonly write: (line: string) => void
}

/** A logger that was made with `with({ logger: 'audit' })` is one of its own: "server.audit". */
export class ServerLog implements LogControl {
  readonly #options: LogOptions
  readonly #levels: Map<string, LogLevel>
  readonly #taps = new Set<{ readonly level: LogLevel; readonly listener: (line: LogLine) => void }>()
  readonly #pino: ReturnType<typeof pino>
  #configured: LogLevel
  readonly logger: Logger

  constructor(options: LogOptions) {
    this.#options = options
    this.#configured = options.level
    this.#levels = new Map([[options.name, options.level]])
    this.#pino = pino(
      {
        level: 'debug',
        base: { program: options.name },
        timestamp: pino.stdTimeFunctions.isoTime,
        messageKey: 'event',
        formatters: { level: (level) => ({ level }) },
      },
      { write: options.write },
    )
    this.logger = this.#make(options.name, {})
  }

  levels(): Readonly<Record<string, LogLevel>> {
    return Object.fromEntries([...this.#levels].sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  set(level: LogLevel, name?: string): boolean {
    if (name !== undefined && !this.#levels.has(name)) return false
    for (const known of name === undefined ? [...this.#levels.keys()] : [name]) this.#levels.set(known, level)
    return true
  }

  reset(name?: string): boolean {
    return this.set(this.#configured, name)
  }

  /** What the configuration says now (SIGHUP); every logger gets it. */
  reconfigure(level: LogLevel): void {
    this.#configured = level
    this.reset()
  }

  tap(level: LogLevel, listener: (line: LogLine) => void): () => void {
    const tap = { level, listener }
    this.#taps.add(tap)
    return () => this.#taps.delete(tap)
  }

  #make(name: string, bound: LogFields): Logger {
    const at =
      (level: LogLevel) =>
      (event: string, fields: LogFields = {}) =>
        this.#log(level, name, event, bound, fields)
    return {
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      with: ({ logger, ...fields }) => {
        const child = typeof logger === 'string' ? `${this.#options.name}.${logger}` : name
        if (!this.#levels.has(child)) this.#levels.set(child, this.#levels.get(name) ?? this.#configured)
        return this.#make(child, { ...bound, ...fields })
      },
    }
  }

  #log(level: LogLevel, name: string, event: string, bound: LogFields, fields: LogFields): void {
    const rank = ranks[level]
    const written = rank >= ranks[this.#levels.get(name) ?? this.#configured]
    if (!written && this.#taps.size === 0) return
    const all = { ...bound, ...fields }
    if (written) this.#write(level, name, event, all)
    if (this.#taps.size === 0) return
    const line = { at: this.#options.clock.now(), level, name, message: event, fields: all }
    for (const tap of this.#taps) if (rank >= ranks[tap.level]) tap.listener(line)
  }

  #write(level: LogLevel, name: string, event: string, fields: LogFields): void {
    const { format, write, clock } = this.#options
    if (format !== 'coffer') {
      write(`${hclogLine({ at: clock.now(), level, name, message: event, fields }, format)}\n`)
      return
    }
    this.#pino[level](name === this.#options.name ? fields : { logger: name, ...fields }, event)
  }
}

/** For programs that serve no API to change it by. */
export const createLogger = (options: {
  readonly level: LogLevel
  readonly write: (line: string) => void
  readonly name: string
}): Logger => new ServerLog({ ...options, format: 'coffer', clock: systemClock }).logger

import type { LogLine } from '../../../lib/hclog-line.ts'
import type { LogControl, LogLevel } from '../../../server/telemetry/log-control.ts'
import type { LevelChange } from './messages.ts'

const ranks: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 }

export interface NodeLogsOptions {
  /** Of this process. */
  readonly own: LogControl
  readonly changed: (change: LevelChange) => void
  /** From which level on the lines of the others are wanted here; undefined: no more. */
  readonly tap: (level: LogLevel | undefined) => void
  readonly tell: (line: LogLine) => void
}

/** The logs of all processes of a node as one: a level that is set here is set everywhere, who listens hears all. */
export class NodeLogs implements LogControl {
  readonly #options: NodeLogsOptions
  readonly #taps = new Set<{ readonly level: LogLevel; readonly listener: (line: LogLine) => void }>()
  #endTelling = () => {}

  constructor(options: NodeLogsOptions) {
    this.#options = options
  }

  levels(): Readonly<Record<string, LogLevel>> {
    return this.#options.own.levels()
  }

  set(level: LogLevel, name?: string): boolean {
    const known = this.#options.own.set(level, name)
    if (known) this.#options.changed({ level, name })
    return known
  }

  reset(name?: string): boolean {
    const known = this.#options.own.reset(name)
    if (known) this.#options.changed({ level: undefined, name })
    return known
  }

  tap(level: LogLevel, listener: (line: LogLine) => void): () => void {
    const tap = { level, listener }
    const end = this.#options.own.tap(level, listener)
    this.#taps.add(tap)
    this.#options.tap(lowest(this.#taps))
    return () => {
      end()
      this.#taps.delete(tap)
      this.#options.tap(lowest(this.#taps))
    }
  }

  /** Another process did it. */
  apply({ level, name }: LevelChange): void {
    if (level === undefined) this.#options.own.reset(name)
    else this.#options.own.set(level, name)
  }

  /** A line of another process. */
  heard(line: LogLine): void {
    for (const { level, listener } of this.#taps) if (ranks[line.level] >= ranks[level]) listener(line)
  }

  /** Another process listens from this level on. */
  tellFrom(level: LogLevel | undefined): void {
    this.#endTelling()
    this.#endTelling = level === undefined ? () => {} : this.#options.own.tap(level, (line) => this.#options.tell(line))
  }
}

/** Undefined: nobody listens. */
export function lowest(taps: Iterable<{ readonly level: LogLevel | undefined }>): LogLevel | undefined {
  let found: LogLevel | undefined
  for (const { level } of taps) {
    if (level !== undefined && (found === undefined || ranks[level] < ranks[found])) found = level
  }
  return found
}

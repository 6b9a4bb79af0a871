import type { Readable, Writable } from 'node:stream'

/** What a program may touch of its process: main.ts passes the real ones, tests pass their own. */
export interface ProgramIo {
  readonly stdin: Readable
  readonly stdout: Writable
  readonly stderr: Writable
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  /** Aborted by the first SIGTERM or SIGINT and by the end of a supervising parent; the program then stops in order. */
  readonly stop: AbortSignal
  /** Calls back on SIGHUP (reload). */
  onReload(fn: () => void): void
  /** Ends the process now, whatever is still open. Absent: the program runs in somebody else's process. */
  exit?(status: number): never
}

/** A role or command: arguments after its name in, exit status out. */
export interface Program {
  run(args: readonly string[], io: ProgramIo): Promise<number>
}

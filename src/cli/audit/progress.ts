import type { CliContext } from '../command.ts'
import { Failure } from '../command.ts'
import type { LocalAudit, Progress } from './local-audit.ts'

const everyMs = 2000

/** A line on stderr every other second, for people who wait. */
export function progressOf({ clock, stderr }: CliContext, what: string): Progress {
  let last = clock.monotonic()
  return (lines, file) => {
    const now = clock.monotonic()
    if (now - last < everyMs) return
    last = now
    stderr.write(`${what}: ${lines} lines, in ${file}\n`)
  }
}

export function localAuditOf({ localAudit }: CliContext): Promise<LocalAudit> {
  if (!localAudit) throw new Failure(1, 'this program cannot read audit files')
  return localAudit()
}

/** An unreadable file is local trouble. */
export function unreadable(error: unknown): Failure {
  if (error instanceof Failure) return error
  return new Failure(
    1,
    `the audit files cannot be read: ${error instanceof Error ? error.message : 'unknown reason'}`,
    {
      cause: error,
    },
  )
}

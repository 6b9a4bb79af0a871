import type { Clock } from '../../../lib/clock.ts'
import type { Logger } from '../../../lib/log.ts'
import type { ProgramIo } from '../../program.ts'

/** Beyond the time for requests: audit devices and storage are closed then. */
const closingMs = 5000

export interface StopDeadline {
  readonly io: Pick<ProgramIo, 'stop' | 'exit'>
  /** For requests. */
  readonly shutdownMs: number
  readonly clock: Clock
  readonly log: Logger
}

/**
 * Whoever runs the server waits for its end: one that does not come (work that heeds nothing, a device that does not close) is
 * made, with status 1. What was acknowledged is in the storage; its file is checked at the next start. Returns what calls it off.
 */
export function endInTime({ io, shutdownMs, clock, log }: StopDeadline): () => void {
  const { stop, exit } = io
  if (!exit) return () => {}
  const withinMs = shutdownMs + closingMs
  let cancel = () => {}
  const begin = () => {
    cancel = clock.after(withinMs, () => {
      log.error('the server did not stop in time and is ended', { after_ms: withinMs })
      exit(1)
    })
  }
  if (stop.aborted) begin()
  else stop.addEventListener('abort', begin, { once: true })
  return () => {
    stop.removeEventListener('abort', begin)
    cancel()
  }
}

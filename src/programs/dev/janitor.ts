/**
 * A process of its own that outlives a killed supervisor: while the pipe on its standard input is open it only learns
 * what there is to clean up; when the pipe closes without "done" it ends what is left and removes the run's folder.
 */
import { readFileSync, rmSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Clock } from '../../lib/clock.ts'

/** A process by id and start time, so that a recycled id is never signalled. */
interface Known {
  readonly pid: number
  readonly started: string | undefined
}

/** Field 22 of /proc/PID/stat (proc(5)): start time in clock ticks. Undefined where there is no /proc or no such process. */
export function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined
  }
}

const alive = (known: Known): boolean => {
  try {
    process.kill(known.pid, 0)
  } catch {
    return false
  }
  return known.started === undefined || startTime(known.pid) === known.started
}

/** Signals the process's group (each child leads its own), or the process alone where there is no group of that id. */
export function signalGroup(pid: number, signal: NodeJS.Signals): void {
  for (const target of [-pid, pid]) {
    try {
      process.kill(target, signal)
      return
    } catch {
      // Gone, or not a group leader: try the process itself.
    }
  }
}

async function endAll(all: readonly Known[], clock: Clock): Promise<void> {
  // The children notice by themselves that the supervisor is gone and stop in order; a grace before any signal lets them.
  for (const [signal, graceMs] of [
    [undefined, 6_000],
    ['SIGTERM', 2_000],
    ['SIGKILL', 2_000],
  ] as const) {
    const left = all.filter(alive)
    if (left.length === 0) return
    if (signal) for (const known of left) signalGroup(known.pid, signal)
    const deadline = clock.monotonic() + graceMs
    while (clock.monotonic() < deadline && all.some(alive)) await clock.sleep(50)
  }
}

/** Lines on stdin: "pid N" for each child, "done" when the supervisor has cleaned up itself. */
export async function runJanitor(dir: string, input: NodeJS.ReadableStream, clock: Clock): Promise<number> {
  const known: Known[] = []
  let done = false
  for await (const line of createInterface({ input })) {
    const [word, value] = line.split(' ')
    if (word === 'pid') known.push({ pid: Number(value), started: startTime(Number(value)) })
    if (word === 'done') done = true
  }
  if (!done) await endAll(known, clock)
  rmSync(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  return 0
}

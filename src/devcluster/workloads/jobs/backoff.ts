/** How long a Job waits before it makes the next pod after a failed one. */
import type { Pod } from '../../../kube/object-types.ts'
import { finishedAtMs } from './job-pods.ts'

export interface Backoff {
  /** Since the last success. */
  readonly failures: number
  readonly lastFailureMs: number
}

export const noBackoff: Backoff = { failures: 0, lastFailureMs: 0 }
const firstDelayMs = 10_000
const maxDelayMs = 600_000

/** With the pods that have ended since. */
export function backoffAfter(before: Backoff, succeeded: readonly Pod[], failed: readonly Pod[]): Backoff {
  const failures = failed.map(finishedAtMs)
  if (succeeded.length === 0) {
    if (failures.length === 0) return before
    return { failures: before.failures + failures.length, lastFailureMs: Math.max(...failures) }
  }
  const lastSuccess = Math.max(...succeeded.map(finishedAtMs))
  const since = failures.filter((ms) => ms > lastSuccess)
  return since.length === 0 ? noBackoff : { failures: since.length, lastFailureMs: Math.max(...since) }
}

/** 0: now. */
export function waitMs({ failures, lastFailureMs }: Backoff, nowMs: number): number {
  if (failures === 0) return 0
  const delay = Math.min(firstDelayMs * 2 ** Math.min(failures - 1, 30), maxDelayMs)
  return Math.max(0, lastFailureMs + delay - nowMs)
}

/** Which of a CronJob's times is due (pkg/controller/cronjob/utils.go). Pure. */
import type { Schedule } from './schedule.ts'

export interface DueInput {
  readonly schedule: Schedule
  /** The last time that made a Job, or the CronJob's creation. */
  readonly sinceMs: number
  readonly nowMs: number
  readonly startingDeadlineSeconds: number | undefined
}
export interface Due {
  /** The latest time that has not made a Job. */
  readonly dueMs: number | undefined
  readonly missed: 'none' | 'few' | 'many'
  /** From when it was looked. */
  readonly sinceMs: number
}

const manyMissed = 100
/** A second look a moment late finds the time in the past even when clocks differ a little. */
const delayMs = 100

/** Throws when the schedule has no two different times. */
export function findDue({ schedule, nowMs, startingDeadlineSeconds, ...input }: DueInput): Due {
  const deadlineMs = startingDeadlineSeconds === undefined ? 0 : nowMs - startingDeadlineSeconds * 1000
  const sinceMs = Math.max(input.sinceMs, deadlineMs)
  const first = schedule.next(sinceMs)
  const second = first === undefined ? undefined : schedule.next(first)
  if (first === undefined || second === undefined || second - first < 1000)
    throw new Error('time difference between two schedules is less than 1 second')
  if (nowMs < first) return { dueMs: undefined, missed: 'none', sinceMs }
  if (nowMs < second) return { dueMs: first, missed: 'none', sinceMs }
  const interval = second - first
  const count = Math.floor((nowMs - first) / interval) + 1
  let dueMs: number | undefined
  let time = schedule.next(first + (count - 2) * interval)
  while (time !== undefined && time <= nowMs) {
    dueMs = time
    time = schedule.next(time)
  }
  return { dueMs, missed: count > manyMissed ? 'many' : 'few', sinceMs }
}

/** How long until the next time. */
export function nextLookMs(input: DueInput): number | undefined {
  const { schedule, nowMs } = input
  const next = schedule.next(lastMs(input))
  return next === undefined ? undefined : Math.max(0, next + delayMs - nowMs)
}

function lastMs(input: DueInput): number {
  try {
    const { dueMs, missed, sinceMs } = findDue({ ...input, startingDeadlineSeconds: undefined })
    return dueMs ?? (missed === 'none' ? sinceMs : input.nowMs)
  } catch {
    return input.nowMs
  }
}

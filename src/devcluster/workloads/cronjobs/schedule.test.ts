import { describe, expect, it } from 'vitest'
import { findDue } from './due-times.ts'
import { readSchedule } from './schedule.ts'

const times = (text: string, zone: string | undefined, from: string, count: number) => {
  const schedule = readSchedule(text, zone)
  const out: string[] = []
  for (let ms = schedule.next(Date.parse(from)); ms !== undefined && out.length < count; ms = schedule.next(ms))
    out.push(new Date(ms).toISOString())
  return out
}
const from = '2026-01-02T03:04:05Z'

describe('a schedule', () => {
  it.each([
    ['* * * * *', ['2026-01-02T03:05:00.000Z', '2026-01-02T03:06:00.000Z']],
    ['5/20 * * * *', ['2026-01-02T03:05:00.000Z', '2026-01-02T03:25:00.000Z']],
    ['0 0 13 * 5', ['2026-01-09T00:00:00.000Z', '2026-01-13T00:00:00.000Z']],
    ['0 0 ? * MON-TUE', ['2026-01-05T00:00:00.000Z', '2026-01-06T00:00:00.000Z']],
    ['@hourly', ['2026-01-02T04:00:00.000Z', '2026-01-02T05:00:00.000Z']],
    ['@daily', ['2026-01-03T00:00:00.000Z', '2026-01-04T00:00:00.000Z']],
    ['@weekly', ['2026-01-04T00:00:00.000Z', '2026-01-11T00:00:00.000Z']],
    ['@monthly', ['2026-02-01T00:00:00.000Z', '2026-03-01T00:00:00.000Z']],
    ['@yearly', ['2027-01-01T00:00:00.000Z', '2028-01-01T00:00:00.000Z']],
    ['@every 1h30m', ['2026-01-02T04:34:05.000Z', '2026-01-02T06:04:05.000Z']],
    ['@every -1h', ['2026-01-02T03:04:06.000Z', '2026-01-02T03:04:07.000Z']],
    ['0 0 31 2 *', []],
  ])('%s', (text, expected) => expect(times(text, undefined, from, 2)).toEqual(expected))

  it('leaves out a time that the clock leaves out, and takes one twice that comes twice', () => {
    const zone = 'America/New_York'
    expect(times('30 2 * * *', zone, '2026-03-07T12:00:00Z', 2)).toEqual([
      '2026-03-09T06:30:00.000Z',
      '2026-03-10T06:30:00.000Z',
    ])
    expect(times('30 1 * * *', zone, '2026-10-31T12:00:00Z', 3)).toEqual([
      '2026-11-01T05:30:00.000Z',
      '2026-11-01T06:30:00.000Z',
      '2026-11-02T06:30:00.000Z',
    ])
  })
})

describe('what is due', () => {
  const due = (since: string, now: string, startingDeadlineSeconds?: number) => {
    const { dueMs, missed } = findDue({
      schedule: readSchedule('*/10 * * * *', undefined),
      sinceMs: Date.parse(since),
      nowMs: Date.parse(now),
      startingDeadlineSeconds,
    })
    return [dueMs === undefined ? undefined : new Date(dueMs).toISOString().slice(11, 16), missed]
  }
  it.each([
    ['nothing before its time', '2026-01-02T00:00:00Z', '2026-01-02T00:09:59Z', undefined, [undefined, 'none']],
    ['the time that has just come', '2026-01-02T00:00:00Z', '2026-01-02T00:10:00Z', undefined, ['00:10', 'none']],
    ['of several the last', '2026-01-02T00:00:00Z', '2026-01-02T00:35:00Z', undefined, ['00:30', 'few']],
    ['of very many the last', '2026-01-01T00:00:00Z', '2026-01-02T00:35:00Z', undefined, ['00:30', 'many']],
    ['nothing older than the deadline', '2026-01-02T00:00:00Z', '2026-01-02T00:35:00Z', 60, [undefined, 'none']],
  ])('is %s', (_what, since, now, deadline, expected) => expect(due(since, now, deadline)).toEqual(expected))

  it('is nothing for a schedule without a second time', () => {
    const schedule = readSchedule('0 0 31 2 *', undefined)
    const input = { schedule, sinceMs: 0, nowMs: 1, startingDeadlineSeconds: undefined }
    expect(() => findDue(input)).toThrow('time difference between two schedules is less than 1 second')
  })
})

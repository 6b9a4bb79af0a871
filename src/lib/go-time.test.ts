import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatGoTime } from './go-time.ts'

/** What the platform says, with the fraction's zeros cut. */
function expected(ms: number): string {
  const [date = '', fraction = ''] = new Date(ms).toISOString().slice(0, -1).split('.')
  const digits = fraction.replace(/0+$/, '')
  return `${date}${digits === '' ? '' : `.${digits}`}Z`
}

describe('a time as Go prints it', () => {
  it.each([
    [0, '1970-01-01T00:00:00Z'],
    [1_700_000_000_120, '2023-11-14T22:13:20.12Z'],
    [1_700_000_000_007, '2023-11-14T22:13:20.007Z'],
    [-1, '1969-12-31T23:59:59.999Z'],
    [Date.UTC(2000, 1, 29), '2000-02-29T00:00:00Z'],
    [Date.UTC(2100, 2, 1) - 1, '2100-02-28T23:59:59.999Z'],
    [Date.UTC(9999, 11, 31, 23, 59, 59), '9999-12-31T23:59:59Z'],
  ])('%d is %s', (ms, text) => {
    expect(formatGoTime(ms)).toBe(text)
  })

  it('is what the platform says, for every moment of four-digit years and beyond', () => {
    const [first, last] = [Date.UTC(1, 0, 1) - 62e12, 8.64e15]
    fc.assert(fc.property(fc.integer({ min: first, max: last }), (ms) => formatGoTime(ms) === expected(ms)))
  })

  it('is right on every day of 400 years', () => {
    for (let ms = Date.UTC(1900, 0, 1); ms < Date.UTC(2300, 0, 1); ms += 86_400_000) {
      if (formatGoTime(ms) !== expected(ms)) expect(formatGoTime(ms)).toBe(expected(ms))
    }
  })

  it('drops what is below a millisecond, and refuses what is no time', () => {
    expect(formatGoTime(1_700_000_000_120.9)).toBe('2023-11-14T22:13:20.12Z')
    expect(() => formatGoTime(Number.NaN)).toThrow(RangeError)
  })
})

import { describe, expect, it } from 'vitest'
import { formatGoDuration, parseGoDuration, parseVaultDuration } from './duration.ts'

describe('durations', () => {
  it.each([
    ['1h', 3_600_000],
    ['1h0m0s', 3_600_000],
    ['1.5h', 5_400_000],
    ['90s', 90_000],
    ['100ms', 100],
    ['-1s', -1000],
    ['0', 0],
    ['', undefined],
    ['h', undefined],
    ['1', undefined],
    ['1h ', undefined],
    ['1d', undefined],
    ['2562047h47m16.854s', 9_223_372_036_854],
    ['2562048h', undefined],
    ['-2562048h', undefined],
  ])('reads Go %j as %s ms', (text, ms) => expect(parseGoDuration(text)).toBe(ms))

  it.each([
    [30, 30_000],
    ['30', 30_000],
    ['30s', 30_000],
    ['2d', 172_800_000],
    ['', 0],
    ['x', undefined],
    [true, undefined],
    ['106752d', undefined],
    ['9223372037', undefined],
    [9_223_372_037, undefined],
    [Number.NaN, undefined],
    [`${'1'.repeat(60_000)}x`, undefined],
  ])('reads Vault %j as %s ms', (value, ms) => expect(parseVaultDuration(value)).toBe(ms))

  it.each([
    [0, '0s'],
    [3_600_000, '1h0m0s'],
    [90_000, '1m30s'],
    [1500, '1.5s'],
    [100, '100ms'],
    [2_764_801_000, '768h0m1s'],
  ])('prints %s ms as Go does', (ms, text) => expect(formatGoDuration(ms)).toBe(text))
})

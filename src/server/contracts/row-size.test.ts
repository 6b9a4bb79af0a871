import { describe, expect, it } from 'vitest'
import { RawJson } from '../../lib/json/value.ts'
import { Refusal } from './request.ts'
import { maxRowBytes, refuseHuge } from './row-size.ts'

describe('what no row can hold', () => {
  const half = 'x'.repeat(maxRowBytes / 2)
  it.each([
    ['long strings', { a: [half, half, half], b: half, c: 'x' }],
    ['long names', { [half]: 1, [`1${half}`]: 2, [`2${half}`]: 3, [`3${half}`]: null }],
    ['many values', Array.from({ length: maxRowBytes }, () => 1)],
    ['raw text', { raw: new RawJson(`"${half.repeat(4)}"`) }],
  ])('is refused before its text is made: %s', (_, value) => {
    expect(() => refuseHuge(value)).toThrow(
      new Refusal(413, 'value too large: more than 1572864 bytes, the limit is 1048576'),
    )
  })

  it('is not what is only a little too large: who makes the text knows better', () => {
    expect(refuseHuge({ a: half, b: half })).toBe(undefined)
    expect(refuseHuge(null)).toBe(undefined)
  })
})

import { describe, expect, it } from 'vitest'
import { RawJson } from '../../lib/json/value.ts'
import { Refusal } from './request.ts'
import { isKeyTooLong, maxKeyBytes, maxRowBytes, refuseHuge } from './row-size.ts'

it.each(['x', 'é', '✓', '😀', '\ud800'])(
  'a key may have as many bytes as storage takes, and not one more: of %j',
  (one) => {
    const size = Buffer.byteLength(one)
    const longest = 'x'.repeat(maxKeyBytes % size) + one.repeat(Math.floor(maxKeyBytes / size))
    expect(Buffer.byteLength(longest)).toBe(maxKeyBytes)
    expect([longest, `${longest}x`, ''].map(isKeyTooLong)).toEqual([false, true, false])
  },
)

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

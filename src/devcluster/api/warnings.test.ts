import { expect, it } from 'vitest'
import { warningLines } from './warnings.ts'

it('each is told once, on one line, quoted', () => {
  expect(warningLines(['a "b"', 'a "b"', '', 'c\nd'])).toEqual(['299 - "a \\"b\\""', '299 - "c d"'])
})

it('more than a client takes is cut: first each, then those that still do not fit', () => {
  const long = (letter: string) => letter.repeat(3000)
  expect(warningLines([long('a')])).toEqual([`299 - "${long('a')}"`])
  expect(warningLines([long('a'), long('→')])).toEqual([`299 - "${'a'.repeat(256)}"`, `299 - "${'→'.repeat(256)}"`])
  expect(warningLines(Array.from({ length: 100 }, (_, i) => `${i}${long('a')}`))).toHaveLength(16)
})

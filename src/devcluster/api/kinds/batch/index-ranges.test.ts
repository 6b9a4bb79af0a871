import { describe, expect, it } from 'vitest'
import { firstOverlap, type IndexRange, indexRanges } from './index-ranges.ts'

const ranges = (text: string): readonly IndexRange[] => {
  const out = indexRanges(text, 10_000_000)
  if (typeof out === 'string') throw new Error(out)
  return out
}

describe('the first index that two sets share', () => {
  it.each([
    ['', '1', undefined],
    ['0,2,4', '1,3,5', undefined],
    ['0-3', '3-5', 3],
    ['0,5-9', '1-2,7', 7],
    ['1-9', '0,4', 4],
    ['8', '0-3,6-9', 8],
  ])('"%s" and "%s": %s', (a, b, shared) => {
    expect(firstOverlap(ranges(a), ranges(b))).toBe(shared)
    expect(firstOverlap(ranges(b), ranges(a))).toBe(shared)
  })

  it('is looked for once through, however long they are', () => {
    const every = (offset: number): IndexRange[] =>
      Array.from({ length: 400_000 }, (_, index) => [3 * index + offset, 3 * index + offset])
    let read = 0
    const counted = new Proxy(every(1), {
      get: (target, key) => {
        read += 1
        return Reflect.get(target, key)
      },
    })
    expect(firstOverlap(every(0), counted)).toBeUndefined()
    expect(read).toBeLessThan(2_000_000)
  })
})

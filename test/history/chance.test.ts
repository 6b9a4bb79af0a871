import { describe, expect, it } from 'vitest'
import { chanceOf } from './chance.ts'

describe('chance', () => {
  it('is the same for the same name and another for another', () => {
    const [one, again, other] = [chanceOf('a'), chanceOf('a'), chanceOf('b')]
    const of = (chance: typeof one) => Array.from({ length: 20 }, () => chance.below(1000))
    const first = of(one)
    expect(of(again)).toEqual(first)
    expect(of(other)).not.toEqual(first)
  })

  it('gives each its share', () => {
    const chance = chanceOf('shares')
    const seen = { often: 0, seldom: 0, never: 0 }
    for (let i = 0; i < 2000; i += 1) seen[chance.weighted({ often: 9, seldom: 1, never: 0 })] += 1
    expect(seen.never).toBe(0)
    expect(seen.seldom).toBeGreaterThan(100)
    expect(seen.often).toBeGreaterThan(1500)
    expect(new Set(Array.from({ length: 200 }, () => chance.below(3)))).toEqual(new Set([0, 1, 2]))
  })
})

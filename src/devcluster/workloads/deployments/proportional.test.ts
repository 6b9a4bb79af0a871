import { array, assert, nat, property, record } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type ScalingInput, type SizedGeneration, scaleProportionally } from './proportional.ts'

const sized = (name: string, replicas: number, maxBefore: number, createdAt = name): SizedGeneration => ({
  name,
  replicas,
  maxBefore,
  createdAt,
})
const plan = (input: ScalingInput) => Object.fromEntries(scaleProportionally(input))

describe('scaling in the middle of a rollout', () => {
  it.each([
    ['grows by shares', 15, 3, [sized('a', 8, 13), sized('b', 5, 13)], { a: 11, b: 7 }],
    ['shrinks by shares', 5, 2, [sized('a', 8, 13), sized('b', 5, 13)], { a: 4, b: 3 }],
    ['the newer of equals grows first', 5, 0, [sized('a', 2, 4), sized('b', 2, 4)], { a: 2, b: 3 }],
    ['the older of equals shrinks first', 3, 0, [sized('a', 2, 4), sized('b', 2, 4)], { a: 1, b: 2 }],
    ['to nothing takes all', 0, 0, [sized('a', 3, 5), sized('b', 2, 5)], { a: 0, b: 0 }],
    ['of the right size changes nothing', 5, 0, [sized('a', 3, 5), sized('b', 2, 5)], { a: 3, b: 2 }],
  ])('%s', (_what, desired, maxSurge, generations, expected) =>
    expect(plan({ desired, maxSurge, generations })).toEqual(expected),
  )

  it('always comes to the number that is allowed, and never below none', () => {
    const shape = record({ desired: nat(20), maxSurge: nat(5), sizes: array(nat(9), { minLength: 1, maxLength: 4 }) })
    assert(
      property(shape, ({ desired, maxSurge, sizes }) => {
        const active = sizes.map((size) => size + 1)
        const maxBefore = active.reduce((sum, size) => sum + size, 0)
        const after = scaleProportionally({
          desired,
          maxSurge,
          generations: active.map((size, index) => sized(`g${index}`, size, maxBefore)),
        })
        const total = [...after.values()].reduce((sum, size) => sum + size, 0)
        expect(total).toBe(desired === 0 ? 0 : desired + maxSurge)
        expect(Math.min(...after.values())).toBeGreaterThanOrEqual(0)
      }),
    )
  })
})

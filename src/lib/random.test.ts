import { expect, it } from 'vitest'
import { pooled } from './random.ts'

it('hands out every byte once, in pieces that others can not change', () => {
  let next = 0
  const random = pooled((size) => Uint32Array.from({ length: size }, () => next++) as unknown as Uint8Array)
  const drawn: Uint8Array[] = []
  for (let i = 0; i < 2000; i += 1) drawn.push(random(i % 20))
  drawn.push(random(5000))
  const bytes = drawn.flatMap((piece) => [...piece])
  expect(new Set(bytes).size).toBe(bytes.length)
  drawn[3]?.fill(0)
  expect(drawn[4]?.every((byte) => byte !== 0)).toBe(true)
  expect(drawn.map((piece) => piece.length)).toEqual([...Array.from({ length: 2000 }, (_, i) => i % 20), 5000])
})

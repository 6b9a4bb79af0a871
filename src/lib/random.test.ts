import { expect, it } from 'vitest'
import { pooled, pooledUuids, systemRandom, uuid } from './random.ts'

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

it('makes the same UUIDs from pooled chance as from pieces of it', () => {
  const chance = () => {
    let state = 7
    return (size: number) =>
      Uint8Array.from({ length: size }, () => {
        state = (state * 69_069 + 1) % 2 ** 32
        return state >>> 16
      })
  }
  const [some, same] = [pooledUuids(chance()), pooled(chance())]
  for (let i = 0; i < 1000; i += 1) expect(some()).toBe(uuid(same))
})

it.each([
  [0x00, '00000000-0000-4000-8000-000000000000'],
  [0x5a, '5a5a5a5a-5a5a-4a5a-9a5a-5a5a5a5a5a5a'],
  [0xa5, 'a5a5a5a5-a5a5-45a5-a5a5-a5a5a5a5a5a5'],
  [0xff, 'ffffffff-ffff-4fff-bfff-ffffffffffff'],
])('keeps all bits of chance in a UUID but those of version and variant: of bytes %i', (byte, text) => {
  const chance = (size: number) => new Uint8Array(size).fill(byte)
  expect([uuid(chance), pooledUuids(chance)()]).toEqual([text, text])
})

it('makes UUIDs of version 4 that are all different', () => {
  const next = pooledUuids(systemRandom)
  const made = Array.from({ length: 2000 }, next)
  expect(new Set(made).size).toBe(made.length)
  for (const id of made) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
})

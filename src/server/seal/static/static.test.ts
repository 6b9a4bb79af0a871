import { describe, expect, it } from 'vitest'
import { systemRandom } from '../../../lib/random.ts'
import { staticSeal } from './static.ts'

const one = { id: 'one', key: Buffer.alloc(32, 1) }
const two = { id: 'two', key: Buffer.alloc(32, 2) }
const root = () => Buffer.alloc(32, 9)

describe('the static seal', () => {
  it('opens what it wrapped and nothing that was changed', async () => {
    const seal = staticSeal({ current: one, random: systemRandom })
    const { blob, keyId } = await seal.wrap(root())
    expect(keyId).toBe('one')
    expect(Buffer.from(await seal.unwrap(blob, keyId))).toEqual(root())
    expect(Buffer.from(blob).includes(root())).toBe(false)
    for (let bit = 0; bit < blob.length * 8; bit += 1) {
      const changed = Buffer.from(blob)
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      await expect(seal.unwrap(changed, keyId)).rejects.toThrow()
    }
    await expect(seal.unwrap(blob.subarray(0, 20), keyId)).rejects.toThrow('damaged')
  })

  it('opens with the key before, and wraps with the present one', async () => {
    const { blob, keyId } = await staticSeal({ current: one, random: systemRandom }).wrap(root())
    const seal = staticSeal({ current: two, previous: one, random: systemRandom })
    expect(Buffer.from(await seal.unwrap(blob, keyId))).toEqual(root())
    expect((await seal.wrap(root())).keyId).toBe('two')
  })

  it('names the key that is missing, and one that is not what it was', async () => {
    const { blob, keyId } = await staticSeal({ current: one, random: systemRandom }).wrap(root())
    const other = staticSeal({ current: two, random: systemRandom })
    await expect(other.unwrap(blob, keyId)).rejects.toThrow('static key "one", which is not configured')
    const same = staticSeal({ current: { ...two, id: 'one' }, random: systemRandom })
    await expect(same.unwrap(blob, keyId)).rejects.toThrow('static key "one" does not open the root key')
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { systemRandom } from '../../../lib/random.ts'
import { newShamirSeal, shamirSeal, WrongUnsealKey } from './shamir.ts'
import { combineShares, parseShare, splitKey } from './shares.ts'
import { UnsealProgress } from './unseal-progress.ts'

const rootKey = () => Buffer.alloc(32, 7)

const shamirConfig = (counts: { shares: number; threshold: number }) => counts

describe('shares', () => {
  it('make the key again, any threshold of them and no fewer', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.integer({ min: 2, max: 8 }),
        fc.integer({ min: 2, max: 8 }),
        async (key, a, b) => {
          const config = shamirConfig({ shares: Math.max(a, b), threshold: Math.min(a, b) })
          const shares = await splitKey(key, config)
          expect(shares.map((share) => share.length)).toEqual(Array(config.shares).fill(33))
          expect(await combineShares(shares.slice(-config.threshold))).toEqual(Uint8Array.from(key))
          expect(await combineShares(shares)).toEqual(Uint8Array.from(key))
          if (config.threshold > 2) {
            expect(await combineShares(shares.slice(1, config.threshold))).not.toEqual(Uint8Array.from(key))
          }
        },
      ),
      { numRuns: 20 },
    )
  })

  it('are the key itself when there is one, and 255 when asked for', async () => {
    const key = rootKey()
    const [only] = await splitKey(key, shamirConfig({ shares: 1, threshold: 1 }))
    expect(Buffer.from(only ?? [])).toEqual(key)
    const many = await splitKey(key, shamirConfig({ shares: 255, threshold: 255 }))
    expect(Buffer.from(await combineShares(many))).toEqual(key)
  })

  it('are read as hex or base64', () => {
    const share = Buffer.from(systemRandom(33))
    expect(Buffer.from(parseShare(share.toString('hex')))).toEqual(share)
    expect(Buffer.from(parseShare(share.toString('hex').toUpperCase()))).toEqual(share)
    expect(Buffer.from(parseShare(share.toString('base64')))).toEqual(share)
  })

  it.each([
    ['AAAA', 'invalid key: key is shorter than minimum 16 bytes'],
    ['aa'.repeat(34), 'invalid key: key is longer than maximum 33 bytes'],
    ['zz!', "'key' must be a valid hex or base64 string"],
    ['', "'key' must be a valid hex or base64 string"],
    ['ABC', "'key' must be a valid hex or base64 string"],
  ])('refuse %j', (text, why) => {
    expect(() => parseShare(text)).toThrow(expect.objectContaining({ status: 400, message: why }))
  })
})

describe('the wrapped root key', () => {
  it('opens with its key only, and not when a bit of it changed', async () => {
    const kek = systemRandom(32)
    const seal = shamirSeal({ kek, random: systemRandom })
    const { blob, keyId } = await seal.wrap(rootKey())
    expect(Buffer.from(await seal.unwrap(blob, keyId))).toEqual(rootKey())
    expect(Buffer.from(blob).includes(rootKey())).toBe(false)
    const other = shamirSeal({ kek: systemRandom(32), random: systemRandom })
    await expect(other.unwrap(blob, keyId)).rejects.toThrow(WrongUnsealKey)
    for (let bit = 0; bit < blob.length * 8; bit += 1) {
      const changed = Buffer.from(blob)
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      await expect(seal.unwrap(changed, keyId)).rejects.toThrow()
    }
    for (let length = 0; length < blob.length; length += 1) {
      await expect(seal.unwrap(blob.subarray(0, length), keyId)).rejects.toThrow()
    }
  })
})

describe('unsealing', () => {
  async function setup(shares: number, threshold: number) {
    const config = shamirConfig({ shares, threshold })
    const made = await newShamirSeal({ config, rootKey: rootKey(), random: systemRandom })
    const opened: Buffer[] = []
    const progress = new UnsealProgress({
      thresholds: [threshold],
      random: systemRandom,
      open: async (kek) => {
        opened.push(Buffer.from(await shamirSeal({ kek, random: systemRandom }).unwrap(made.wrappedRootKey, 'shamir')))
      },
    })
    const share = (i: number) => Uint8Array.from(made.shares[i] ?? [])
    return { progress, opened, share }
  }

  it('takes the threshold of shares, in any order', async () => {
    const { progress, opened, share } = await setup(5, 3)
    const first = await progress.submit(share(4))
    expect(first).toMatchObject({ unsealed: false, progress: 1 })
    expect(first.nonce).toMatch(/^[0-9a-f-]{36}$/)
    expect(await progress.submit(share(0))).toEqual({ unsealed: false, progress: 2, nonce: first.nonce })
    expect(await progress.submit(share(2))).toEqual({ unsealed: true, progress: 0, nonce: '' })
    expect(opened).toEqual([rootKey()])
    expect(progress.state).toEqual({ unsealed: false, progress: 0, nonce: '' })
  })

  it('counts a share once', async () => {
    const { progress, opened, share } = await setup(5, 3)
    const first = await progress.submit(share(1))
    expect(await progress.submit(share(1))).toEqual(first)
    expect(await progress.submit(share(1))).toEqual(first)
    expect(opened).toEqual([])
  })

  it('starts again after a reset, with another nonce', async () => {
    const { progress, share } = await setup(5, 3)
    const { nonce } = await progress.submit(share(0))
    await progress.submit(share(1))
    expect(progress.reset()).toEqual({ unsealed: false, progress: 0, nonce: '' })
    const again = await progress.submit(share(0))
    expect(again.progress).toBe(1)
    expect(again.nonce).not.toBe(nonce)
  })

  it.each([
    ['a wrong share', (right: Uint8Array) => right.map((byte, i) => (i === 3 ? byte ^ 1 : byte))],
    ['a share of another length', (right: Uint8Array) => right.slice(0, 20)],
    [
      'a second share with the coordinate of the first',
      (right: Uint8Array, first: Uint8Array) => right.map((b, i) => (i === 32 ? (first[32] ?? 0) : b)),
    ],
  ])('refuses %s at the threshold and forgets them all', async (_, spoil) => {
    const { progress, opened, share } = await setup(3, 2)
    await progress.submit(share(0))
    await expect(progress.submit(spoil(share(1), share(0)))).rejects.toMatchObject({
      status: 400,
      message: 'unseal failed, invalid key',
    })
    expect(progress.state).toEqual({ unsealed: false, progress: 0, nonce: '' })
    expect(opened).toEqual([])
    await progress.submit(share(0))
    expect(await progress.submit(share(2))).toMatchObject({ unsealed: true })
  })

  it('works with a single key', async () => {
    const { progress, opened, share } = await setup(1, 1)
    await expect(progress.submit(systemRandom(32))).rejects.toMatchObject({ status: 400 })
    await expect(progress.submit(systemRandom(33))).rejects.toMatchObject({ status: 400 })
    expect(await progress.submit(share(0))).toMatchObject({ unsealed: true })
    expect(opened).toEqual([rootKey()])
  })

  it('passes on what else went wrong, and forgets the shares then too', async () => {
    const progress = new UnsealProgress({
      thresholds: [1],
      random: systemRandom,
      open: async () => {
        throw new Error('the storage is down')
      },
    })
    await expect(progress.submit(systemRandom(32))).rejects.toThrow('the storage is down')
    expect(progress.state.progress).toBe(0)
  })

  it('takes shares that come at the same time one after the other', async () => {
    const { progress, opened, share } = await setup(5, 3)
    const states = await Promise.all([0, 1, 2].map((i) => progress.submit(share(i))))
    expect(states.map((state) => state.unsealed)).toEqual([false, false, true])
    expect(opened).toHaveLength(1)
  })

  it('leaves no share in memory', async () => {
    const { progress, share } = await setup(3, 2)
    const shares = [share(0), share(1)]
    for (const each of shares) await progress.submit(each)
    expect(shares.every((each) => each.every((byte) => byte === 0))).toBe(true)
  })

  it('leaves no share in memory that was given twice', async () => {
    const { progress, share } = await setup(3, 2)
    const [first, again] = [Uint8Array.from(share(0)), Uint8Array.from(share(0))]
    await progress.submit(first)
    await progress.submit(again)
    expect(again.every((byte) => byte === 0)).toBe(true)
    await progress.submit(first)
    expect(first.every((byte) => byte === 0)).toBe(false)
    expect(await progress.submit(share(1))).toMatchObject({ unsealed: true })
  })

  it('leaves no new wrapping key in the buffer that chance gave it', async () => {
    const drawn: Uint8Array[] = []
    const random = (size: number) => {
      const bytes = systemRandom(size)
      if (size === 32) drawn.push(bytes)
      return bytes
    }
    await newShamirSeal({ config: shamirConfig({ shares: 1, threshold: 1 }), rootKey: rootKey(), random })
    expect(drawn.map((bytes) => bytes.every((byte) => byte === 0))).toEqual([true])
  })
})

import { describe, expect, it } from 'vitest'
import { decodeSealConfig, encodeSealConfig, type SealConfig } from './seal-config.ts'
import { recoveryCountProblem, shareCountProblem } from './share-counts.ts'
import { decodeWrappedKey, encodeWrappedKey } from './wrapped-key.ts'

describe('counts of shares', () => {
  it.each([
    [0, 1, 'shares must be at least one'],
    [-1, 1, 'shares must be at least one'],
    [5, 0, 'threshold must be at least one'],
    [5, 1, 'threshold must be greater than one for multiple shares'],
    [3, 4, 'threshold cannot be larger than shares'],
    [256, 3, 'shares must be less than 256'],
    [1.5, 1, 'shares must be at least one'],
    [5, 3, undefined],
    [1, 1, undefined],
  ])('%s shares with threshold %s: %s', (shares, threshold, why) => {
    expect(shareCountProblem({ shares, threshold })).toBe(why)
  })

  it('may be none for recovery keys, both or neither', () => {
    expect(recoveryCountProblem({ shares: 0, threshold: 0 })).toBe(undefined)
    expect(recoveryCountProblem({ shares: 0, threshold: 1 })).toBe('shares must be at least one')
  })
})

describe('the configuration of a seal', () => {
  it.each<SealConfig>([
    { type: 'shamir', shares: 5, threshold: 3 },
    { type: 'static', shares: 0, threshold: 0, initialising: true },
    { type: 'shamir', shares: 1, threshold: 1, previous: { shares: 3, threshold: 2, wrapped: Buffer.from('abc') } },
  ])('comes back from its row: %j', (config) => {
    expect(decodeSealConfig(encodeSealConfig(config))).toEqual(config)
  })

  it.each([
    '',
    '{}',
    '{"format":2,"type":"shamir","shares":5,"threshold":3}',
    '{"format":1,"type":"shamir","shares":5,"threshold":1}',
    '{"format":1,"type":"shamir","shares":0,"threshold":0}',
    '{"format":1,"shares":5,"threshold":3}',
    'null',
  ])('is refused when its row is %j', (row) => expect(() => decodeSealConfig(Buffer.from(row))).toThrow('damaged'))
})

describe('the row of the wrapped root key', () => {
  it('comes back with the id of its key', () => {
    const shamir = { blob: Buffer.of(1, 2, 3), keyId: 'shamir' }
    const other = { blob: Buffer.of(1, 2, 3), keyId: 'k-1' }
    expect(decodeWrappedKey(encodeWrappedKey(shamir))).toEqual(shamir)
    expect(decodeWrappedKey(encodeWrappedKey(other))).toEqual(other)
  })

  it.each(['', '{', '{"keyId":"a"}', '[]'])('is refused when it is %j', (row) => {
    expect(() => decodeWrappedKey(Buffer.from(row))).toThrow('damaged')
  })
})

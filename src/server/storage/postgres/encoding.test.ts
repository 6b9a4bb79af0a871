import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { systemRandom } from '../../../lib/random.ts'
import { commitId } from '../../contracts/commit.ts'
import { byteaArray, keysOf, pack, plainArray, prefixEnd, versionColumn, versionOf } from './encoding.ts'

describe('what travels to PostgreSQL and back', () => {
  it('is every bit of a version', () => {
    const ids = ['00000000000001', '1fffffffffffff', '000000ffffffff', '10000000000000']
    for (let i = 0; i < 500; i += 1) ids.push(commitId(systemRandom))
    for (const id of ids) expect(versionOf(versionColumn(id))).toBe(id)
  })

  it('is every key of an array', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' }).filter((key) => !/\p{Surrogate}/u.test(key))), (keys) => {
        // PostgreSQL gives an array in the form in which it takes one.
        expect(keysOf(byteaArray(keys.map((key) => Buffer.from(key))))).toEqual(keys)
      }),
    )
    expect(plainArray([1, null, true, '5'])).toBe('{1,NULL,true,5}')
  })

  it('is every value, cut out of one buffer as SQL counts', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array()), (values) => {
        const { bytes, offsets, lengths } = pack(values)
        const cut = offsets.map((at, i) => bytes.subarray(at - 1, at - 1 + (lengths[i] ?? 0)))
        expect(cut.map((part) => part.toString('hex'))).toEqual(
          values.map((value) => Buffer.from(value).toString('hex')),
        )
      }),
    )
  })

  it('is the end of a prefix: the first key that is greater than all below it', () => {
    expect(prefixEnd(Buffer.from('a/'))).toEqual(Buffer.from('a0'))
    expect(prefixEnd(Buffer.from([1, 255]))).toEqual(Buffer.from([2]))
    expect(prefixEnd(Buffer.from([255]))).toBe(undefined)
    expect(prefixEnd(Buffer.alloc(0))).toBe(undefined)
  })
})

import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HmacSha256 } from './hmac-sha256.ts'

const hex = (text: string) => Buffer.from(text, 'hex')

/** RFC 4231, section 4; its case 5 is of a digest cut short. */
const vectors = [
  [Buffer.alloc(20, 0x0b), 'Hi There', 'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7'],
  [
    Buffer.from('Jefe'),
    'what do ya want for nothing?',
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  ],
  [Buffer.alloc(20, 0xaa), Buffer.alloc(50, 0xdd), '773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe'],
  [
    hex('0102030405060708090a0b0c0d0e0f10111213141516171819'),
    Buffer.alloc(50, 0xcd),
    '82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b',
  ],
  [
    Buffer.alloc(131, 0xaa),
    'Test Using Larger Than Block-Size Key - Hash Key First',
    '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54',
  ],
  [
    Buffer.alloc(131, 0xaa),
    'This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.',
    '9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2',
  ],
] as const

describe('HMAC-SHA256', () => {
  it.each(vectors)('answers the vectors of RFC 4231 (%#)', (key, message, mac) => {
    const hmac = new HmacSha256(key)
    expect(hmac.hex(message)).toBe(mac)
    if (typeof message === 'string') expect(hmac.hex(Buffer.from(message))).toBe(mac)
  })

  it('equals OpenSSL for every key and sequence of messages', () => {
    const message = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 300 }),
      // Lone surrogates too: they become U+FFFD.
      fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units)),
      fc.uint8Array({ maxLength: 300 }),
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 150 }), fc.array(message), (key, messages) => {
        const hmac = new HmacSha256(key)
        const expected = messages.map((each) => createHmac('sha256', key).update(each).digest('hex'))
        expect(messages.map((each) => hmac.hex(each))).toEqual(expected)
      }),
    )
  })

  it('equals OpenSSL at and around the lengths where it goes another way', () => {
    const key = Buffer.alloc(32, 7)
    const hmac = new HmacSha256(key)
    for (const length of [0, 1, 63, 64, 65, 2729, 2730, 2731, 2732, 8191, 8192, 8193, 100_000]) {
      for (const text of ['x'.repeat(length), '€'.repeat(length)]) {
        const expected = createHmac('sha256', key).update(text).digest('hex')
        expect(hmac.hex(text)).toBe(expected)
        expect(hmac.hex(Buffer.from(text))).toBe(expected)
      }
    }
  })

  it('keeps no hold on the key that it was given', () => {
    const key = Buffer.alloc(32, 7)
    const hmac = new HmacSha256(key)
    const before = hmac.hex('text')
    key.fill(0)
    expect(hmac.hex('text')).toBe(before)
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeValue } from './decode.ts'
import { membersOf } from './extract.ts'
import { convertKeys } from './keys.ts'

const decode = (strategy: 'Base64' | 'Base64URL' | 'Auto', text: string) =>
  Buffer.from(decodeValue(strategy, Buffer.from(text, 'latin1'))).toString('latin1')

describe('decoding', () => {
  it.each([
    ['Base64', 'aGVsbG8=', 'hello'],
    ['Base64', 'aGVs\nbG8=\r\n', 'hello'],
    ['Base64', '', ''],
    ['Base64', '/+8=', '\xff\xef'],
    ['Base64URL', '_-8=', '\xff\xef'],
    ['Auto', 'aGVsbG8=', 'hello'],
    ['Auto', '_-8=', '\xff\xef'],
    ['Auto', 'not base64', 'not base64'],
    ['Auto', '1234', '\xd7m\xf8'],
  ] as const)('%s %j -> %j', (strategy, text, wanted) => {
    expect(decode(strategy, text)).toBe(wanted)
  })

  // The offsets are those of Go's encoding/base64.
  it.each([
    ['Base64', 's3cr<t>&', 4],
    ['Base64', 'aGVsbG8', 4],
    ['Base64', 'aGVsbG8==', 8],
    ['Base64', 'YQ=', 3],
    ['Base64', 'YQ=x', 3],
    ['Base64', '=', 0],
    ['Base64', 'A=', 1],
    ['Base64', '_-8=', 0],
    ['Base64URL', '/+8=', 0],
    ['Base64', 'YQ==YQ==', 4],
  ] as const)('%s %j is refused at byte %d', (strategy, text, at) => {
    expect(() => decode(strategy, text)).toThrow(
      `error applying decoding strategy ${strategy} to data: illegal base64 data at input byte ${at}`,
    )
  })

  it('gives any bytes back', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const text = Buffer.from(Buffer.from(bytes).toString('base64'))
        expect([...decodeValue('Base64', text)]).toEqual([...bytes])
      }),
    )
  })
})

describe('keys', () => {
  const convert = (strategy: 'Default' | 'Unicode', ...keys: string[]) => [
    ...convertKeys(strategy, new Map(keys.map((key) => [key, Buffer.alloc(0)]))).keys(),
  ]

  it('that Kubernetes forbids are converted, empty ones left out', () => {
    expect(convert('Default', 'a/b c', 'ok.-_', '', '😀x')).toEqual(['a_b_c', 'ok.-_', '_x'])
    expect(convert('Unicode', 'a/b', '😀')).toEqual(['a_U002f_b', '_U1f600_'])
  })

  it('that become equal are refused', () => {
    expect(() => convert('Default', 'a/b', 'a b')).toThrow('secret name collision during conversion: a_b')
  })

  it('that are too long are refused', () => {
    expect(() => convert('Default', 'x'.repeat(254))).toThrow('key has length 254 but max is 253')
  })
})

describe('extract', () => {
  const extract = (json: string) =>
    Object.fromEntries([...membersOf(Buffer.from(json))].map(([key, value]) => [key, Buffer.from(value).toString()]))

  it('takes members apart and keeps the text of numbers', () => {
    expect(
      extract('{"s":"<x>","n":12345678901234567890,"f":1.0,"o":{"b":1,"a":"<"},"l":[1.50],"z":null,"b":true}'),
    ).toEqual({
      s: '<x>',
      n: '12345678901234567890',
      f: '1.0',
      o: '{"a":"\\u003c","b":1}',
      l: '[1.50]',
      z: '',
      b: 'true',
    })
  })

  it.each(['"text"', '[1]', 'null', '12345678901234567890', 'nope', ''])('refuses %j', (json) => {
    expect(() => extract(json)).toThrow('the value is not a JSON object')
  })

  it('takes __proto__ as a key like others', () => {
    expect([...membersOf(Buffer.from('{"__proto__":"x"}')).keys()]).toEqual(['__proto__'])
  })
})

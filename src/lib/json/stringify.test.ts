import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { mapStrings } from './map-strings.ts'
import { mergePatch } from './merge-patch.ts'
import { parseJson, parseRaw } from './parse.ts'
import { compareUtf8, stringifyGo, stringifyJson } from './stringify.ts'
import { type Json, JsonNumber, RawJson } from './value.ts'

const json = fc.jsonValue({ maxDepth: 5 }) as fc.Arbitrary<Json>

describe('stringifyJson', () => {
  it('prints what JSON.stringify prints', () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(stringifyJson(value)).toBe(JSON.stringify(value))
      }),
    )
  })

  it('prints RawJson and JsonNumber as they are and leaves out undefined members', () => {
    expect(stringifyJson({ a: new RawJson('{"z":1.0}'), b: undefined, c: [new JsonNumber('1e400')] })).toBe(
      '{"a":{"z":1.0},"c":[1e400]}',
    )
  })

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('refuses %s', (number) => {
    expect(() => stringifyJson([number])).toThrow('no such number')
  })
})

describe('stringifyGo', () => {
  it('sorts keys by their UTF-8 bytes at every level, RawJson included', () => {
    expect(stringifyGo({ '\u{1F600}': 1, '\uFF5E': 2, b: new RawJson('{"d":1.0,"c":2}'), a: [{ y: 1, x: 2 }] })).toBe(
      '{"a":[{"x":2,"y":1}],"b":{"c":2,"d":1.0},"\uFF5E":2,"\u{1F600}":1}',
    )
  })

  it("escapes as Go's encoding/json does", () => {
    expect(stringifyGo({ '<k>': 'a&b\u2028\u2029</script>' })).toBe(
      '{"\\u003ck\\u003e":"a\\u0026b\\u2028\\u2029\\u003c/script\\u003e"}',
    )
  })

  it('says the same as stringifyJson', () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(JSON.parse(stringifyGo(value))).toEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
  })
})

describe('compareUtf8', () => {
  it('orders as the bytes do', () => {
    const text = fc.string({
      unit: fc.constantFrom(
        'a',
        'b',
        '\u007f',
        '\u0080',
        '\ud7ff',
        '\ue000',
        '\uffff',
        '\u{10000}',
        '\u{1F600}',
        '\u{10FFFF}',
      ),
    })
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(Math.sign(compareUtf8(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)))
      }),
    )
  })
})

describe('mapStrings', () => {
  const shout = (text: string) => JSON.stringify(`<${text.toUpperCase()}>`)

  it('replaces every string value and no key, number or word', () => {
    const text = '{"a":"x","n":1.0,"t":true,"z":null,"l":["y",{"b":"\\u0041"}],"e":""}'
    const wanted = '{"a":"<X>","n":1.0,"t":true,"z":null,"l":["<Y>",{"b":"<A>"}],"e":"<>"}'
    expect(mapStrings(parseRaw(text), shout)).toBe(wanted)
    expect(mapStrings(parseJson(text), shout)).toBe(wanted)
    expect(mapStrings({ a: 'x', ...(parseJson(text) as object), l: parseRaw('["y",{"b":"A"}]') }, shout)).toBe(wanted)
  })

  it('leaves exempt members of the outermost object as they stand, and only those', () => {
    const text = '{"keep":{"in":"x"},"other":{"keep":"y"}}'
    const wanted = '{"keep":{"in":"x"},"other":{"keep":"<Y>"}}'
    const exempt = new Set(['keep'])
    expect(mapStrings(parseRaw(text), shout, { exempt })).toBe(wanted)
    expect(mapStrings(parseJson(text), shout, { exempt })).toBe(wanted)
  })

  it('does the same to text as to values', () => {
    fc.assert(
      fc.property(json, (value) => {
        const raw = new RawJson(JSON.stringify(value))
        expect(JSON.parse(mapStrings(raw, shout))).toEqual(JSON.parse(mapStrings(value, shout)))
      }),
    )
  })
})

describe('mergePatch', () => {
  // RFC 7386, appendix A.
  it.each([
    ['{"a":"b"}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'],
    ['{"a":"b"}', '{"a":null}', '{}'],
    ['{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'],
    ['{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'],
    ['{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'],
    ['{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'],
    ['["a","b"]', '["c","d"]', '["c","d"]'],
    ['{"a":"b"}', '["c"]', '["c"]'],
    ['{"a":"foo"}', 'null', 'null'],
    ['{"a":"foo"}', '"bar"', '"bar"'],
    ['{"e":null}', '{"a":1}', '{"e":null,"a":1}'],
    ['[1,2]', '{"a":"b","c":null}', '{"a":"b"}'],
    ['{}', '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'],
    ['{"n":1.0}', '{"m":12345678901234567890}', '{"n":1.0,"m":12345678901234567890}'],
    ['{}', '{"__proto__":{"x":1}}', '{"__proto__":{"x":1}}'],
  ])('%s patched with %s is %s', (target, patch, result) => {
    expect(stringifyJson(mergePatch(parseJson(target), parseJson(patch)))).toBe(result)
    expect(stringifyJson(mergePatch(parseRaw(target), parseRaw(patch)))).toBe(result)
  })

  it('starts from nothing and changes neither input', () => {
    const target = { a: { b: 1 } }
    expect(stringifyJson(mergePatch(undefined, { a: { b: null } }))).toBe('{"a":{}}')
    mergePatch(target, { a: { b: 2 } })
    expect(target).toEqual({ a: { b: 1 } })
  })
})

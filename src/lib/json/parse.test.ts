import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { JsonSyntaxError, parseJson, parseRaw, rawMembers } from './parse.ts'
import { stringifyJson } from './stringify.ts'
import { JsonNumber, RawJson } from './value.ts'

const bytes = (...codes: number[]) => new Uint8Array(codes)
const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)

/** JSON.parse's view of a value, where JavaScript loses nothing. */
const plain = (value: unknown) => JSON.parse(JSON.stringify(value, (_, v) => (v instanceof JsonNumber ? Number(v) : v)))

const lossless = fc
  .jsonValue({ maxDepth: 6, stringUnit: 'binary' })
  .filter((value) => isWellFormed(JSON.stringify(value)) && !JSON.stringify(value).includes('-0'))

function isWellFormed(text: string): boolean {
  return !/\\ud[89a-f]/i.test(text) && Buffer.from(text).toString() === text
}

describe('parseJson', () => {
  it('says what JSON.parse says where JavaScript loses nothing', () => {
    fc.assert(
      fc.property(lossless, fc.constantFrom(undefined, 1, '\t', ' \r\n'), (value, space) => {
        const text = JSON.stringify(value, undefined, space)
        expect(plain(parseJson(text))).toEqual(JSON.parse(text))
        expect(plain(parseJson(Buffer.from(text)))).toEqual(JSON.parse(text))
        expect(parseRaw(text).text).toBe(JSON.stringify(JSON.parse(text)))
      }),
    )
  })

  it('refuses what JSON.parse refuses', () => {
    const piece = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"',
      '"a"',
      '1',
      '-',
      '.',
      'e',
      '0',
      'true',
      'nul',
      ' ',
      '\\',
      '\\u00',
      '\n',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const text = pieces.join('')
        const ours = outcome(() => parseJson(text))
        expect(outcome(() => parseRaw(text))).toBe(ours)
        if (ours === 'refused' && outcome(() => JSON.parse(text)) === 'read') expect(text).toContain('"a"')
        if (ours === 'read') JSON.parse(text)
      }),
      { numRuns: 5000 },
    )
  })

  it('throws nothing but JsonSyntaxError, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (input) => {
        try {
          parseJson(input)
        } catch (error) {
          expect(error).toBeInstanceOf(JsonSyntaxError)
        }
      }),
    )
  })

  it.each(['1.0', '12345678901234567890', '1e400', '-0', '0.1000', '1E5', '1e21', '9007199254740993', '-1.50e-3'])(
    'keeps the text of %s',
    (text) => {
      expect(parseJson(text)).toEqual(new JsonNumber(text))
      expect(stringifyJson(parseJson(`[${text}]`))).toBe(`[${text}]`)
      expect(parseRaw(text).text).toBe(text)
    },
  )

  it.each(['0', '1', '-1', '1.5', '9007199254740991', '1e+21', '1e-7'])('makes %s a number', (text) => {
    expect(parseJson(text)).toBe(Number(text))
  })

  it.each([
    ['', 'the text ends too early'],
    ['{', 'expected a key'],
    ['{"a"', "expected ':'"],
    ['{"a":1', "expected ',' or '}'"],
    ['[1,]', 'unexpected character'],
    ['[1', "expected ',' or ']'"],
    ['{"a":1,}', 'expected a key'],
    ["{'a':1}", 'expected a key'],
    ['01', 'something follows'],
    ['+1', 'unexpected character'],
    ['.5', 'unexpected character'],
    ['1.', 'the text ends too early'],
    ['1.x', 'expected a digit'],
    ['1e', 'the text ends too early'],
    ['-', 'the text ends too early'],
    ['NaN', 'unexpected character'],
    ['tru', 'unexpected character'],
    ['nullx', 'something follows'],
    ['{} {}', 'something follows'],
    ['"a', 'does not end'],
    ['"a\nb"', 'control character'],
    ['"\u0000"', 'control character'],
    ['"\\x41"', 'unknown escape'],
    ['"\\', 'unknown escape'],
    ['"\\u12"', 'four hex digits'],
    ['"\\u12g4"', 'four hex digits'],
    ['\uFEFF{}', 'unexpected character'],
    ['[1]//', 'something follows'],
    ['\u00A01', 'unexpected character'],
  ])('refuses %j: %s', (text, why) => {
    expect(() => parseJson(text)).toThrow(JsonSyntaxError)
    expect(() => parseJson(text)).toThrow(why)
    expect(() => parseRaw(text)).toThrow(why)
  })

  it.each(['{"a":1,"a":2}', '{"a":1,"\\u0061":2}', '[{"b":{"x":1,"y":2,"x":3}}]', '{"__proto__":1,"__proto__":2}'])(
    'refuses the duplicate key in %s',
    (text) => {
      expect(() => parseJson(text)).toThrow('duplicate key')
      expect(() => parseRaw(text)).toThrow('duplicate key')
    },
  )

  it('names the place of a duplicate key', () => {
    expect(() => parseJson('{"a":1, "a":2}')).toThrow('invalid JSON at offset 8: duplicate key')
  })

  it.each([
    '"\\ud800"',
    '"\\udc00"',
    '"\\ud800\\u0041"',
    '"\\ud83dx"',
    '"\uD83D"',
    '"\uDC00"',
    '{"\uD83D":1}',
    '"\uD83D\uD83D"',
  ])('refuses the lone surrogate in %j', (text) => {
    expect(() => parseJson(text)).toThrow('lone surrogate')
    expect(() => parseRaw(text)).toThrow('lone surrogate')
  })

  it('reads pairs of surrogates, escaped or not', () => {
    expect(parseJson('"\\ud83d\\ude00 \u{1F600}"')).toBe('\u{1F600} \u{1F600}')
  })

  it('reads an escaped NUL and every other escape', () => {
    expect(parseJson('"\\u0000\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9"')).toBe('\0"\\/\b\f\n\r\té')
  })

  it.each([
    ['a lone continuation byte', bytes(0x22, 0x80, 0x22)],
    ['an overlong form', bytes(0x22, 0xc0, 0xaf, 0x22)],
    ['an encoded surrogate', bytes(0x22, 0xed, 0xa0, 0x80, 0x22)],
    ['a cut sequence', bytes(0x22, 0xe2, 0x82, 0x22)],
  ])('refuses %s', (_, input) => {
    expect(() => parseJson(input)).toThrow('not UTF-8')
    expect(() => parseRaw(input)).toThrow('not UTF-8')
  })

  it('makes __proto__ and constructor keys like others', () => {
    const object = parseJson('{"__proto__":{"polluted":true},"constructor":1}') as Record<string, unknown>
    expect(Object.getPrototypeOf(object)).toBe(null)
    expect(Object.keys(object)).toEqual(['__proto__', 'constructor'])
    expect(({} as Record<string, unknown>)['polluted']).toBe(undefined)
    expect(stringifyJson(object as never)).toBe('{"__proto__":{"polluted":true},"constructor":1}')
  })

  it('never repeats the content in a message', () => {
    try {
      parseJson('{"password":"hunter2" "x"}')
      expect.unreachable()
    } catch (error) {
      expect(String(error)).not.toMatch(/hunter2|password/)
    }
  })

  it('refuses the 65th level and survives 200,000', () => {
    expect(parseJson(nested(64))).toBeInstanceOf(Array)
    expect(() => parseJson(nested(65))).toThrow('deeper than 64')
    expect(() => parseRaw(nested(65))).toThrow('deeper than 64')
    expect(() => parseJson('{"a":'.repeat(200_000))).toThrow('deeper than 64')
  })

  it('counts depth inside one another, not side by side', () => {
    expect(parseJson(`[${Array(100).fill('[]').join(',')}]`)).toHaveLength(100)
  })

  it.each([
    [{ maxBytes: 3 }, '"aaa"', 'longer than 3 bytes'],
    [{ maxStringLength: 3 }, '"aaaa"', 'a string longer than 3'],
    [{ maxStringLength: 3 }, '"\\u0041aaa"', 'a string longer than 3'],
    [{ maxStringLength: 3 }, '{"aaaa":1}', 'a string longer than 3'],
    [{ maxStrings: 2 }, '{"a":"b","c":1}', 'more than 2 strings'],
    [{ maxValues: 2 }, '[1,2,3]', 'more than 2 values'],
    [{}, '1'.repeat(1025), 'a number longer than'],
  ])('holds %j against %s', (limits, text, why) => {
    expect(() => parseJson(text, limits)).toThrow(why)
    expect(() => parseJson(Buffer.from(text), limits)).toThrow(why)
    expect(() => parseRaw(text, limits)).toThrow(why)
  })
})

describe('parseRaw', () => {
  it('removes whitespace between tokens and nothing else', () => {
    expect(parseRaw(' { "b" : [ 1.0 , "x y" ,\n{ } ] ,\t"a" : "\\u0041" } \r\n').text).toBe(
      '{"b":[1.0,"x y",{}],"a":"\\u0041"}',
    )
  })
})

describe('rawMembers', () => {
  it('gives each member as it stands', () => {
    const members = rawMembers(parseRaw('{"a": {"b": [1.0]}, "\\u0063": "x", "d": 12345678901234567890}'))
    expect([...members].map(([key, raw]) => [key, raw.text])).toEqual([
      ['a', '{"b":[1.0]}'],
      ['c', '"x"'],
      ['d', '12345678901234567890'],
    ])
  })

  it('agrees with parseJson on any object', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), lossless), (object) => {
        const text = JSON.stringify(object)
        const members = [...rawMembers(new RawJson(text))].map(([key, raw]) => [key, JSON.parse(raw.text)])
        expect(new Map(members as never)).toEqual(new Map(Object.entries(JSON.parse(text))))
      }),
    )
  })

  it('refuses what is no object', () => {
    expect(() => rawMembers(new RawJson('[1]'))).toThrow('expected an object')
  })
})

function outcome(run: () => unknown): 'read' | 'refused' {
  try {
    run()
    return 'read'
  } catch {
    return 'refused'
  }
}

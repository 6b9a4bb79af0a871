import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Pace } from '../turns.ts'
import { DocumentBuilder } from './document-builder.ts'
import { mapStrings } from './map-strings.ts'
import { JsonSyntaxError, parseJson, parseRaw } from './parse.ts'
import { parseJsonInTurns, parseTextInTurns } from './parse-in-turns.ts'
import { isLarge } from './size.ts'
import { stringifyJson } from './stringify.ts'
import { defaultJsonLimits, Tokenizer } from './tokenizer.ts'
import { type Json, RawJson } from './value.ts'
import { type StringStyle, TextPieces, type WriteOptions, writeJsonInTurns } from './write-in-turns.ts'

/** Counts rests. */
function counted(slice?: number) {
  const seen = { rests: 0 }
  const pace = new Pace(
    {
      async next() {
        seen.rests += 1
      },
    },
    slice,
  )
  return { pace, seen }
}

/** Counts units. */
function spending() {
  let units = 0
  const pace = new Pace({ async next() {} })
  const spend = pace.spend.bind(pace)
  pace.spend = (cost) => {
    units += cost
    return spend(cost)
  }
  return { pace, spent: () => units }
}

const parsed = (text: string | Uint8Array, limits = {}, slice = 5, atOnce?: number) =>
  parseJsonInTurns(typeof text === 'string' ? Buffer.from(text) : text, limits, counted(slice).pace, atOnce)

async function written(json: Json, options?: WriteOptions, slice = 5): Promise<string> {
  const out = new TextPieces()
  await writeJsonInTurns(json, out, counted(slice).pace, options)
  return Buffer.concat(out.take().pieces).toString()
}

const refusal = async (read: () => unknown): Promise<string> => {
  try {
    await read()
    return 'accepted'
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error
    return error.message
  }
}

describe('a document read in slices', () => {
  it('is what it is when read at once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.json({ maxDepth: 5 }), fc.constantFrom(0, 1, 2), async (text, indent) => {
        const document = JSON.stringify(JSON.parse(text), null, indent)
        const json = parseJson(document)
        expect(await parsed(document)).toEqual(json)
        for (const atOnce of [1, 2, 3, 7]) expect(await parsed(document, {}, 5, atOnce)).toEqual(json)
      }),
      { numRuns: 200 },
    )
  })

  it.each([
    '',
    ' ',
    '{',
    '[',
    '[1',
    '[1,',
    '[1,]',
    '{"a"',
    '{"a":',
    '{"a":1',
    '{"a":1,',
    '{"a":1,}',
    '{"a":1,"a":2}',
    '{a:1}',
    '[1]]',
    '1 2',
    '"a',
    '"\\x"',
    '"\ud800"',
    '"\\ud800"',
    '[tru]',
    '01',
    '-',
    '1.',
    '[}',
    '{]',
    '\ufeff1',
    '{"a" 1}',
    '[1 2]',
    '{"a":{"b":[1,2,{"c":"d"}]}}',
    ' [ 1 , "a\\n" , { } , [ ] ] ',
    '12345678901234567890',
    'null',
    '"é"',
    '"\\u0041"',
    '[true,false,null,-1.5e+10,"\\ud83d\\ude00"]',
    '[trux',
    '["a\\',
    '["a\\"',
    '["\\u00',
    '[1.5e',
    '{"a":1,  "a":2}',
    '   {"é":"😀\\n" , "é":1}',
    '["\u0001"]',
    '["first part, then a fault \\u',
    '["first part, then a fault \u0001',
  ])('%j is accepted or refused in the same words, whatever parts it is read in', async (text) => {
    const words = await refusal(() => parseJson(Buffer.from(text)))
    expect(await refusal(() => parsed(text))).toBe(words)
    for (let atOnce = 1; atOnce < 20; atOnce += 1) {
      expect(await refusal(() => parsed(text, {}, 5, atOnce))).toBe(words)
    }
  })

  it.each<[string, object]>([
    ['[[1]]', { maxDepth: 1 }],
    ['["ab"]', { maxStringLength: 1 }],
    ['["a","b"]', { maxStrings: 1 }],
    ['[1,2]', { maxValues: 1 }],
    ['[1]', { maxBytes: 2 }],
    [`[${' '.repeat(65_537)}1]`, { maxStringLength: 10 }],
  ])('%s within %j is refused in the same words', async (text, limits) => {
    const words = await refusal(() => parsed(text, limits))
    expect(words).not.toBe('accepted')
    expect(words).toBe(await refusal(() => parseJson(Buffer.from(text), limits)))
    expect(await refusal(() => parsed(text, limits, 5, 2))).toBe(words)
  })

  it('may be indented further than a string may be long', async () => {
    const text = `[${' '.repeat(60_000)}1]`
    expect(await parsed(text, { maxStringLength: 10 })).toEqual([1])
    expect(parseJson(text, { maxStringLength: 10 })).toEqual([1])
  })

  it('bytes that are no UTF-8 are refused wherever they stand, and characters on the edge of a piece stay whole', async () => {
    const edge = 256 * 1024
    for (const at of [edge - 3, edge - 2, edge - 1, edge, edge + 1]) {
      const text = `"${'a'.repeat(at - 1)}😀é"`
      expect(await parsed(text)).toBe(JSON.parse(text))
      const broken = Buffer.from(text)
      broken[at] = 0xff
      expect(await refusal(() => parsed(broken))).toBe('invalid JSON at offset 0: not UTF-8')
    }
  })

  it('is never in memory as one string: a part is let go for the next', async () => {
    const list = Array.from({ length: 400 }, (_, i) => ({ [`key ${i}`]: `value ${i}\n`, n: [i, true, null] }))
    const text = JSON.stringify(list)
    let [read, longest, parts] = [0, 0, 0]
    const next = (left: string) => {
      if (read === text.length) return undefined
      const from = read - left.length
      read = Math.min(text.length, read + 100)
      parts += 1
      longest = Math.max(longest, read - from)
      return text.slice(from, read)
    }
    const limits = { ...defaultJsonLimits, maxMembers: 10, maxElements: 1000 }
    const builder = new DocumentBuilder(new Tokenizer(next('') ?? '', limits, next), limits)
    expect(builder.run(counted(Number.POSITIVE_INFINITY).pace)).toBe(true)
    expect(builder.value).toEqual(parseJson(text))
    expect(parts).toBe(Math.ceil(text.length / 100))
    // Numbers are read where a thousand digits of them would be seen.
    expect(longest).toBeLessThanOrEqual(1200)
  })

  it('a string that does not end, or white space, is refused before all of it was read', async () => {
    const endless = (fill: string) => Buffer.from(`["${fill.repeat(100_000 / fill.length)}`)
    const short = { maxStringLength: 100 }
    for (const fill of ['x', '\\n', 'é']) {
      expect(await refusal(() => parsed(endless(fill), short, 5, 64))).toBe(
        'invalid JSON at offset 2: a string longer than 100 characters',
      )
    }
    const { pace, spent } = spending()
    const ended = Buffer.from(`["${'x'.repeat(100_000)}"]`)
    expect(await refusal(() => parseJsonInTurns(ended, short, pace, 64))).toContain('a string longer than 100')
    // To look for what is no UTF-8, and for some parts; all of them would be 300 and more.
    expect(spent()).toBeLessThan(50)
    const blank = Buffer.from(`[1,${' '.repeat(200_000)}`)
    expect(await refusal(() => parsed(blank, short, 5, 64))).toBe('invalid JSON at offset 3: too much white space')
  })

  it('a string of many parts is read a few times, not once for each', async () => {
    const bytes = Buffer.from(`["${'x'.repeat(100_000)}","${'é'.repeat(100_000)}"]`)
    const { pace, spent } = spending()
    expect(await parseJsonInTurns(bytes, {}, pace, 64)).toEqual(['x'.repeat(100_000), 'é'.repeat(100_000)])
    expect(spent()).toBeLessThan((3 * bytes.length) / 384 + bytes.length / 512 + 500)
  })

  it('text that was checked before is read as bytes are, whatever its size', async () => {
    const list = Array.from({ length: 15_000 }, (_, i) => `value "${i}" 😀`)
    const { pace, seen } = counted()
    expect(await parseTextInTurns(JSON.stringify(list), pace)).toEqual(list)
    expect(seen.rests).toBeGreaterThanOrEqual(4)
  })

  it('has objects of at most 10,000 members: the keys of larger ones are listed in one piece of work', async () => {
    const members = (count: number) => `{${Array.from({ length: count }, (_, i) => `"k${i}":1`).join(',')}}`
    expect(Object.keys((await parsed(members(10_000), {}, 2000)) as object)).toHaveLength(10_000)
    expect(await refusal(() => parsed(members(10_001), {}, 2000))).toBe(
      'invalid JSON at offset 0: an object of more than 10000 members',
    )
    expect(await refusal(() => parsed('{"a":1,"b":2}', { maxMembers: 1 }))).toContain('more than 1 members')
    expect(await refusal(() => parsed('[1,2]', { maxElements: 1 }))).toContain('more than 1 elements')
  })

  it('rests again and again, after about as much work each time', async () => {
    const rests = async (strings: number) => {
      const { pace, seen } = counted()
      const text = JSON.stringify(Array.from({ length: strings }, (_, i) => `value ${i}`))
      await parseJsonInTurns(Buffer.from(text), {}, pace)
      return seen.rests
    }
    expect(await rests(100)).toBe(0)
    const some = await rests(20_000)
    expect(some).toBeGreaterThanOrEqual(5)
    expect(await rests(100_000)).toBeGreaterThanOrEqual(4.5 * some)
  })
})

describe('a long string with escapes', () => {
  it.each([
    ['\\n\\"é😀', 300],
    ['\\\\', 600],
    ['\\u0041\\ud83d\\ude00', 100],
    ['x\\"\\\\', 4000],
  ])('of %j says the same as a short one', (part, times) => {
    const quoted = `"${part.repeat(times)}"`
    expect(parseJson(quoted)).toBe(String(parseJson(`"${part}"`)).repeat(times))
    expect(parseJson(quoted)).toBe(JSON.parse(quoted))
    expect(parseRaw(quoted).text).toBe(quoted)
  })

  it.each(['\\x', '\u0001', '\\ud800', '\\u12', '\ud800'])('with %j is refused, with the place', (fault) => {
    const text = `["${'a\\n'.repeat(400)}${fault}"]`
    expect(() => parseJson(text)).toThrow(/invalid JSON at offset (1202|1203|1204): /)
  })
})

describe('a document written in slices', () => {
  const hide: StringStyle = { text: (value) => JSON.stringify(`<${value}>`), cost: 3, charsPerUnit: 512 }

  it('has the text of one written at once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue({ maxDepth: 5 }), async (value) => {
        const json = parseJson(JSON.stringify(value))
        const raw = parseRaw(JSON.stringify(value))
        expect(await written(json)).toBe(stringifyJson(json))
        expect(await written({ a: raw, b: json })).toBe(stringifyJson({ a: raw, b: json }))
        expect(await written(json, { style: hide })).toBe(mapStrings(json, hide.text))
        expect(await written(raw, { style: hide })).toBe(mapStrings(raw, hide.text))
        const options = { exempt: new Set(['a', '']) }
        const document = { a: json, b: [json], '': raw }
        expect(await written(document, { style: hide, ...options })).toBe(mapStrings(document, hide.text, options))
      }),
      { numRuns: 200 },
    )
  })

  it('hashes all strings of raw text and none of its keys', async () => {
    const raw = parseRaw('{"a":"b","c":["d","e\\"f\\\\",{"g\\"":"h:"}],"i":1,"j":null,"":""}')
    expect(await written(raw, { style: hide })).toBe(mapStrings(raw, hide.text))
    const clear = { style: hide, exempt: new Set(['c']) }
    expect(await written(raw, clear)).toBe(mapStrings(raw, hide.text, clear))
  })

  it('leaves surrogate pairs whole on the edge of a piece', async () => {
    for (const before of [131_070, 131_071, 131_072]) {
      const raw = new RawJson(`"${'a'.repeat(before)}${'😀'.repeat(10)}"`)
      expect(await written(raw)).toBe(raw.text)
      expect(await written(JSON.parse(raw.text))).toBe(raw.text)
    }
  })

  it('may hold large and small containers in each other', async () => {
    const large = Array.from({ length: 700 }, (_, i) => ({ [`k${i}`]: ['a"b', i, [new RawJson('{"c":["d"]}')]] }))
    const document = { large, small: [{ a: 'é' }], deep: [[[large]]], empty: [{}, []] } satisfies Json
    expect(await written(document)).toBe(stringifyJson(document))
    expect(await written(document, { style: hide })).toBe(mapStrings(document, hide.text))
  })

  it('rests after small containers as often as after what is in them', async () => {
    const rests = async (list: Json) => {
      const { pace, seen } = counted()
      await writeJsonInTurns(list, new TextPieces(), pace, { style: hide })
      return seen.rests
    }
    const flat = await rests(Array.from({ length: 20_000 }, (_, i) => `v${i}`))
    const inTens = Array.from({ length: 2000 }, () => ({ list: Array.from({ length: 10 }, (_, i) => `v${i}`) }))
    expect(await rests(inTens)).toBeGreaterThanOrEqual(0.9 * flat)
  })

  it('rests after some 600 strings that cost as much as an HMAC', async () => {
    const { pace, seen } = counted()
    let [since, most] = [0, 0]
    const style: StringStyle = {
      ...hide,
      text: (value) => {
        since += 1
        most = Math.max(most, since)
        return `"${value}"`
      },
    }
    const resting = { spend: (cost: number) => pace.spend(cost), spendChars: (n: number) => pace.spendChars(n) }
    const watched = Object.assign(Object.create(pace), resting, {
      rest: async () => {
        since = 0
        await pace.rest()
      },
    })
    const list = Array.from({ length: 20_000 }, (_, i) => `v${i}`)
    await writeJsonInTurns({ list, raw: new RawJson(JSON.stringify(list)) }, new TextPieces(), watched, { style })
    expect(most).toBeLessThanOrEqual(700)
    expect(seen.rests).toBeGreaterThanOrEqual(50)
  })
})

describe('names of members', () => {
  it('are work, too: 90,000 of 90 characters', async () => {
    const { pace, seen } = counted()
    const members = () => Object.fromEntries(Array.from({ length: 9000 }, (_, i) => [`${'k'.repeat(90)}${i}`, 1]))
    await writeJsonInTurns(Array.from({ length: 10 }, members), new TextPieces(), pace)
    expect(seen.rests).toBeGreaterThanOrEqual(35)
  })
})

describe('containers without anything in them', () => {
  it('are work, too', async () => {
    const { pace, seen } = counted()
    const list = Array.from({ length: 30_000 }, () => [[[]]])
    await writeJsonInTurns(list, new TextPieces(), pace)
    expect(seen.rests).toBeGreaterThanOrEqual(15)
    await parseJsonInTurns(Buffer.from(JSON.stringify(list)), {}, pace)
    expect(seen.rests).toBeGreaterThanOrEqual(35)
  })
})

describe('what is large', () => {
  it.each<[Json, boolean]>([
    [null, false],
    ['a'.repeat(60_000), false],
    ['a'.repeat(70_000), true],
    [{ a: { b: 'x' } }, false],
    [Array.from({ length: 600 }, () => ''), true],
    [{ a: { b: Array.from({ length: 600 }, () => 1) } }, true],
    [new RawJson(`"${'a'.repeat(5000)}"`), false],
    [{ a: new RawJson(`"${'a'.repeat(10_000)}"`) }, true],
    [Object.fromEntries(Array.from({ length: 600 }, (_, i) => [`k${i}`, 1])), true],
    [Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`k${i}`, 'x'.repeat(8000)])), true],
    [Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`${i}${'k'.repeat(8000)}`, 1])), true],
  ])('case %#', (json, large) => expect(isLarge(json)).toBe(large))
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hclItems, parseHcl } from './parse.ts'
import { blockSteps, blocks, hclToJson, members } from './read.ts'
import { HclError } from './tree.ts'

/** The inside as plain data, labels kept apart, as hashicorp/hcl's own tree says it. */
const tree = (text: string) =>
  JSON.parse(JSON.stringify(parseHcl(text), (key, value) => (key === 'column' ? undefined : value)))
const failure = (text: string) => {
  try {
    parseHcl(text)
  } catch (error) {
    if (error instanceof HclError) return `At ${error.line}:${error.column}: ${error.reason}`
    throw error
  }
  return undefined
}
const rule = (text: string) => {
  const [block] = blocks(parseHcl(text), 'path', 1)
  return block && { label: block.labels[0], line: block.line, body: hclToJson(block.body) }
}

describe('the shapes that Vault accepts in policies', () => {
  const cases: [string, string, unknown][] = [
    ['plain', 'path "a" { capabilities = ["read"] }', { capabilities: ['read'] }],
    [
      'attributes over several lines',
      'path "a" {\n  allowed_parameters = {\n    "x" = []\n    y = ["1", "2"],\n  }\n}',
      { allowed_parameters: { x: [], y: ['1', '2'] } },
    ],
    [
      'two attributes on one line',
      'path "a" { capabilities = ["read"] allowed_parameters = { "x" = ["y"] } }',
      { capabilities: ['read'], allowed_parameters: { x: ['y'] } },
    ],
    [
      'a number after a list on one line',
      'path "a" { capabilities = ["read"] min_wrapping_ttl = 30 }',
      { capabilities: ['read'], min_wrapping_ttl: 30 },
    ],
    [
      'quoted keys in a nested block',
      'path "a" { allowed_parameters { "x" = ["b"] } }',
      { allowed_parameters: { x: ['b'] } },
    ],
    ['comments', '# one\npath "a" { // two\n /* three\n */ policy = "read" }', { policy: 'read' }],
    [
      'a list with a trailing comma',
      'path "a" { capabilities = ["read", "list",] }',
      { capabilities: ['read', 'list'] },
    ],
    ['JSON', '{"path": {"a": {"capabilities": ["read"]}}}', { capabilities: ['read'] }],
    ['JSON with a list of blocks', '{"path": [{"a": {"capabilities": ["read"]}}]}', { capabilities: ['read'] }],
    ['nested objects for labels', 'path = { "a" = { policy = "read" } }', { policy: 'read' }],
    ['a heredoc', 'path "a" { comment = <<EOT\nfirst\n  second\nEOT\n}', { comment: 'first\n  second\n' }],
  ]
  it.each(cases)('%s', (_, text, body) => {
    expect(rule(text)).toMatchObject({ label: 'a', body })
  })

  it('leaves templates and interpolations in paths alone', () => {
    expect(rule('path "secret/{{identity.entity.id}}/*" { policy = "read" }')?.label).toBe(
      'secret/{{identity.entity.id}}/*',
    )
    expect(rule('path "secret/${foo("x")}/y" { policy = "read" }')?.label).toBe('secret/${foo("x")}/y')
  })
})

it('reads a server configuration with its repeated and labelled blocks', () => {
  const config = parseHcl(`
storage "lmdb" { path = "/var/lib/coffer" }
listener "tcp" { address = "127.0.0.1:8200" tls_disable = true }
listener "tcp" { address = "127.0.0.1:8201" }
audit "file" "main" { options { file_path = "stdout" } }
default_lease_ttl = "1h"
max_size = 12345678901234567890
`)
  expect(blocks(config, 'listener', 1).map((b) => hclToJson(b.body))).toEqual([
    { address: '127.0.0.1:8200', tls_disable: true },
    { address: '127.0.0.1:8201' },
  ])
  expect(blocks(config, 'audit', 2)).toMatchObject([{ labels: ['file', 'main'], line: 5 }])
  expect(blocks(config, 'seal', 1)).toEqual([])
  expect(String(config.items.at(-1)?.value)).toBe('12345678901234567890')
})

it('reads every kind of literal', () => {
  expect(
    hclToJson(parseHcl('a=0x1F b=010 c=-1.5e3 d=.5 e=false f="\\u00e9\\x41\\101\\"\\n" g=[[1],{h=2}] i=+7')),
  ).toEqual({ a: 31, b: 8, c: -1500, d: 0.5, e: false, f: 'éAA"\n', g: [[1], { h: 2 }], i: 7 })
})

it('takes the closing indentation off an indented heredoc only when every line has it', () => {
  expect(hclToJson(parseHcl('a = <<-E\n  one\n    two\n  E\nb = <<-E\n one\n  E\n'))).toEqual({
    a: 'one\n  two\n',
    b: ' one\n',
  })
})

describe('errors name line and column as hashicorp/hcl does', () => {
  it.each([
    ['path "a" {', 'At 1:12: object expected closing RBRACE got: EOF'],
    ['path "a" {\n', 'At 2:2: object expected closing RBRACE got: EOF'],
    ['a', "At 1:3: key 'a' expected start of object ('{') or assignment ('=')"],
    ['path "a" "b" = 1', 'At 1:14: nested object expected: LBRACE got: ASSIGN'],
    ['= 1', 'At 1:1: no object keys found!'],
    ['a = [1 2]', 'At 1:8: error parsing list, expected comma or list end, got: NUMBER'],
    ['a {} }', 'At 1:6: expected: IDENT | STRING | ASSIGN | LBRACE got: RBRACE'],
    ['a = ]', 'At 1:5: Unknown token: 1:5 RBRACK ]'],
    ['a = "é" ]', 'At 1:9: expected: IDENT | STRING | ASSIGN | LBRACE got: RBRACK'],
    ['a = b', 'At 1:5: Unknown token: 1:5 IDENT b'],
    ['a = "\\q"', 'At 1:7: illegal char escape'],
    ['a: 1', 'At 1:2: illegal char'],
  ])('%j', (text, message) => expect(failure(text)).toBe(message))

  it.each([
    'a =',
    'a = "x',
    'a = "x\n"',
    '/* x',
    'a = <<E\nx',
    "a = 'x'",
    'a = 1.2.3',
    '{"a": 1',
    '{"a":1,"a":2}',
    'a = "\\ud800"',
  ])('refuses %j', (text) => expect(failure(text)).toMatch(/^At \d+:\d+: ./))

  it('says the place in the message', () => {
    expect(() => parseHcl('a = 1\nb = {\n  c = ]\n}')).toThrow('line 3, column 7: Unknown token')
  })
})

it('reads one very long line in linear time', () => {
  const items = parseHcl('a = "é𝄞" '.repeat(80_000)).items
  expect(items.at(-1)).toMatchObject({ line: 1, column: 79_999 * 9 + 1 })
})

it('refuses what is too deep or too long instead of overflowing', () => {
  expect(() => parseHcl(`a = ${'['.repeat(50_000)}`)).toThrow('nested deeper than 32 levels')
  expect(() => parseHcl('a {'.repeat(50_000))).toThrow('nested deeper than 32 levels')
  expect(() => parseHcl(`{"a":${'['.repeat(50_000)}`)).toThrow('deeper than 32 levels')
  expect(() => parseHcl('#'.repeat(2 ** 20 + 1))).toThrow('document is longer')
})

it('cannot reach a prototype, and tells duplicates', () => {
  const polluted = hclToJson(parseHcl('__proto__ { x = 1 } constructor = 2')) as object
  expect(Object.getPrototypeOf(polluted)).toBeNull()
  expect(Object.keys(polluted)).toEqual(['__proto__', 'constructor'])
  expect(({} as Record<string, unknown>)['x']).toBeUndefined()
  expect(() => members(parseHcl('a = 1\na = 2'))).toThrow('line 2, column 1: duplicate key "a"')
  expect(() => members(parseHcl('a "b" {}'))).toThrow('"a" takes no label')
  expect(tree('a = 1\na = 2').items).toHaveLength(2)
  expect(() => blocks(parseHcl('path = "x"'), 'path', 1)).toThrow('"path" must be a block')
})

it('answers or throws HclError for any text', () => {
  const piece = fc.constantFrom(
    'a',
    ' ',
    '\n',
    '"x"',
    '{',
    '}',
    '[',
    ']',
    '=',
    ',',
    '<<E\n',
    'E\n',
    '"',
    '${',
    '\\',
    '#',
    '/*',
    '*/',
    '1',
    'true',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      failure(pieces.join(''))
    }),
  )
})

it('reads back whatever is printed', () => {
  const value = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.string({ unit: 'grapheme' }),
      fc.integer(),
      fc.boolean(),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(fc.string({ minLength: 1 }), tie('value'), { maxKeys: 4, noNullPrototype: false }),
    ),
  })).value
  const print = (v: unknown): string => {
    // JSON's escapes are HCL's, but "${" opens an interpolation and DEL aside everything else is literal.
    if (typeof v === 'string') return JSON.stringify(v).replaceAll('${', '\\u0024{')
    if (Array.isArray(v)) return `[${v.map(print).join(', ')}]`
    if (typeof v === 'object' && v !== null) {
      return `{\n${Object.entries(v)
        .map(([k, inner]) => `${print(k)} = ${print(inner)}`)
        .join('\n')}\n}`
    }
    return String(v)
  }
  fc.assert(
    fc.property(value, (v) => {
      expect(JSON.stringify(hclToJson(parseHcl(`v = ${print(v)}`)))).toBe(JSON.stringify({ v }))
    }),
  )
})

it.each([
  ['blocks', 'b "x" {}\n'.repeat(3000)],
  ['JSON, in one member', JSON.stringify({ b: { x: Array(3000).fill({}) } })],
])('finds many blocks of %s with pauses', (_, text) => {
  const steps = blockSteps(parseHcl(text), 'b', 1)
  let pauses = 0
  let step = steps.next()
  for (; !step.done; step = steps.next()) pauses += 1
  expect(step.value).toEqual(blocks(parseHcl(text), 'b', 1))
  expect(step.value).toHaveLength(3000)
  expect(pauses).toBeGreaterThan(4)
})

it('hands items over as they are read, those before a mistake too', () => {
  const items = hclItems('a = 1\nb "c" {}\n}')
  expect([items.next().value, items.next().value]).toMatchObject([{ key: 'a' }, { key: 'b', labels: ['c'] }])
  expect(() => items.next()).toThrow('line 3, column 1')
})

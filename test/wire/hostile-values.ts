/** For each kind of field: a value that fits, values that cannot be read as the kind, and values that can but should not be trusted. */
import type { Field, FieldKind, Fields } from '../../src/server/contracts/fields.ts'
import type { Operation } from '../../src/server/contracts/request.ts'

/** Where the kind is not enough to be taken. */
const fitting: Readonly<Record<string, unknown>> = {
  type: 'kv',
  policy: 'path "elsewhere/*" { capabilities = ["read"] }',
  rules: 'path "elsewhere/*" { capabilities = ["read"] }',
  path: 'x',
  paths: ['kv1/x'],
  data: { a: '1' },
  rate: 5,
  bytes: 8,
  limit: 10,
  secret_shares: 1,
  secret_threshold: 1,
}

const fits: Readonly<Record<FieldKind, unknown>> = {
  string: 'x',
  lowerString: 'x',
  bool: true,
  int: 1,
  float: 1.5,
  duration: '1h',
  commaList: ['x'],
  intList: [1],
  stringMap: { a: 'b' },
  object: { a: 'b' },
  json: { a: 'b' },
}

/** As JSON. Anything is json. */
const unreadable: Readonly<Record<FieldKind, readonly unknown[]>> = {
  string: [{ a: 1 }, ['a']],
  lowerString: [{ a: 1 }, ['a']],
  bool: ['perhaps', { a: 1 }, [true]],
  int: ['many', [1], { a: 1 }, 1.5],
  float: ['many', [1], { a: 1 }],
  duration: ['soon', [1], { a: 1 }, '-5s'],
  commaList: [{ a: 1 }, [{ a: 1 }]],
  intList: ['many', [{}], { a: 1 }],
  stringMap: ['text', ['text'], 7, { a: { b: 1 } }, { a: ['b'] }],
  object: ['text', [1], 7, true],
  json: [],
}

/** In a query everything is text; a name given twice is a list. */
const unreadableInQuery: Readonly<Record<FieldKind, readonly string[] | undefined>> = {
  string: undefined,
  lowerString: undefined,
  bool: ['perhaps'],
  int: ['many', '1.5'],
  float: ['many'],
  duration: ['soon', '-5s'],
  commaList: [],
  intList: ['many'],
  stringMap: ['text'],
  object: ['text'],
  json: [],
}

const hostileText = [
  '',
  ' ',
  '\u0000',
  'a\u0000b',
  '../../sys/x',
  '..',
  '/',
  '//',
  'x/../y',
  'a\nb',
  '\u202e\u{1f600}',
  '{{identity.entity.id}}',
  '%00%2e%2e',
  '*',
  '-1',
  '99999999999999999999h',
  '__proto__',
  'constructor',
  'root',
  'x'.repeat(70_000),
]
const hostileNumbers = [
  0,
  -1,
  1,
  4_294_967_296,
  Number.MAX_SAFE_INTEGER,
  -Number.MAX_SAFE_INTEGER,
  1e300,
  '',
  '0x10',
  true,
]
const deep = (levels: number): unknown => (levels === 0 ? 1 : { a: deep(levels - 1) })

const hostile: Readonly<Record<FieldKind, readonly unknown[]>> = {
  string: [...hostileText, 0, true],
  lowerString: [...hostileText, 0, true],
  bool: [true, false, 0, ''],
  int: hostileNumbers,
  float: hostileNumbers,
  duration: [...hostileNumbers, '99999999999h', '1ns', '1e9s', '9223372036s', '10000d'],
  commaList: [
    ...hostileText.map((text) => [text]),
    '',
    ',,,',
    [],
    ['a', 'a'],
    Array.from({ length: 5000 }, (_, i) => `n${i}`),
  ],
  intList: [[], '', [-1], [0, 0], [Number.MAX_SAFE_INTEGER], Array.from({ length: 5000 }, (_, i) => i)],
  stringMap: [{}, ...hostileText.map((text) => ({ [text]: text })), { a: null }, { a: true, b: 1e300 }, ''],
  object: [{}, ...hostileText.map((text) => ({ [text]: text })), { a: null }, deep(50), { a: [[[]]] }],
  json: [null, '', 0, [], 'text', {}, deep(50), [{ a: null }], { a: { b: [] } }],
}

export const fieldsOf = ({ input }: Operation): Fields => (input === 'free' ? {} : input)

/** What a well-meaning client would send. */
export function fittingInput(operation: Operation): Record<string, unknown> {
  if (operation.input === 'free') return { data: { a: '1' } }
  return Object.fromEntries(
    Object.entries(fieldsOf(operation)).map(([name, field]) => [name, fitting[name] ?? fits[field.kind]]),
  )
}

export const unreadableFor = ({ kind }: Field, inQuery: boolean): readonly unknown[] =>
  inQuery ? (unreadableInQuery[kind] ?? [['a', 'b']]) : unreadable[kind]

export const hostileFor = ({ kind }: Field): readonly unknown[] => hostile[kind]

/** For operations that take any object. */
export const hostileObjects: readonly Record<string, unknown>[] = [
  {},
  { data: null },
  { data: 'text' },
  { data: [] },
  { data: { a: null } },
  { data: deep(50) },
  { data: { a: '1' }, options: 'text' },
  { data: { a: '1' }, options: { cas: 'many' } },
  { data: { a: '1' }, options: { cas: -1 } },
  { data: { a: '1' }, options: { cas: {} } },
  { options: null },
  { version: {} },
  { versions: [{}] },
  { versions: 'all' },
  { ttl: {} },
  { ttl: '99999999999h' },
  ...hostileText.map((text) => ({ [text]: text, data: { [text]: text } })),
]

export function queryOf(input: Readonly<Record<string, unknown>>): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(input)) {
    for (const item of Array.isArray(value) ? value : [value]) {
      query.append(name, typeof item === 'object' && item !== null ? pairs(item) : String(item))
    }
  }
  return query.toString()
}

const pairs = (item: object) =>
  Object.entries(item)
    .map(([name, value]) => `${name}=${value}`)
    .join(',')

/** Bodies that are no JSON object, or not one that everyone reads alike. */
export const malformed: readonly (readonly [what: string, body: string | Uint8Array])[] = [
  ['half', '{"a":'],
  ['a list', '[1]'],
  ['a text', '"x"'],
  ['a number', '17'],
  ['two values', '{} {}'],
  ['one name twice', '{"a":1,"a":2}'],
  ['too deep', `${'{"a":'.repeat(100)}1${'}'.repeat(100)}`],
  ['far too deep', `{"a":${'['.repeat(200_000)}`],
  ['a NUL', '{"a":"\u0000"}'],
  ['invalid UTF-8', new Uint8Array([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xff, 0xfe, 0x22, 0x7d])],
  ['half a surrogate pair', '{"a":"\\ud800"}'],
]

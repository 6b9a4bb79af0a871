import { expect, it } from 'vitest'
import { duplicateFields, repetitions } from './duplicate-fields.ts'

it.each([
  ['{}', []],
  ['{"a":1,"b":{"a":2}}', []],
  ['{"a":1,"a":2,"a":3}', ['a']],
  ['{"m":{"n":"x","n":"y"},"n":1}', ['m.n']],
  ['{"s":{"c":[{"n":1},{"n":1,"v":{},"n":2}]}}', ['s.c[1].n']],
  ['[[{"a":1}],[0,{"a":1,"a":2}]]', ['[1][1].a']],
  ['{"a":"\\"a\\":,{","\\u0061":1}', ['a']],
  ['{"a" : 1 ,\n "a"\t: ["a", "a"]}', ['a']],
])('%s has twice: %j', (text, expected) => {
  expect(duplicateFields(text)).toEqual(expected)
})

it('keys of YAML are told by their lines, at once however many there are', async () => {
  const text = (keys: number) => Array.from({ length: keys }, (_, i) => `k${i}: {a: 1}\n`).join('')
  expect(await repetitions(`${text(20_000)}k7: {b: 1, "b": 2}\n`, 'application/yaml')).toEqual([
    'yaml: unmarshal errors:\n  line 20001: key "k7" already set in map\n  line 20001: key "b" already set in map',
  ])
  // Comparing each with each took a minute.
}, 20_000)

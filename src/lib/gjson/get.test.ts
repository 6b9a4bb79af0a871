import { describe, expect, it } from 'vitest'
import { gjsonGet } from './get.ts'
import { UnsupportedPath } from './path.ts'

const document = `{"name":{"first":"Tom","last":"Anderson"},"age":37,"big":12345678901234567890,"f":1.50,"nul":null,"on":true,
 "children":["Sara","Alex","Jack"],"fav.movie":"Deer Hunter","esc":"\\u003ca\\u003e","empty":{},"none":[],
 "friends":[{"first":"Dale","last":"Murphy","age":44,"nets":["ig","fb"]},{"first":"Roger","last":"Craig","age":68,"nets":["fb"]},{"first":"Jane","last":"Murphy","age":47}],
 "inner":"{\\"a\\": 1}","matrix":[[1,2],[3,[4]]]}`

const rows: [string, string | undefined][] = [
  ['name.last', 'Anderson'],
  ['name', '{"first":"Tom","last":"Anderson"}'],
  ['age', '37'],
  ['big', '12345678901234567890'],
  ['f', '1.50'],
  ['nul', ''],
  ['on', 'true'],
  ['esc', '<a>'],
  ['children', '["Sara","Alex","Jack"]'],
  ['children.#', '3'],
  ['children.1', 'Alex'],
  ['children.9', undefined],
  ['child*.2', 'Jack'],
  ['c?ildren.0', 'Sara'],
  ['fav\\.movie', 'Deer Hunter'],
  ['friends.#.first', '["Dale","Roger","Jane"]'],
  ['friends.#.nets.0', '["ig","fb"]'],
  ['friends.1.last', 'Craig'],
  ['friends.#(last=="Murphy").first', 'Dale'],
  ['friends.#(last=="Murphy")#.first', '["Dale","Jane"]'],
  ['friends.#(age>45)#.last', '["Craig","Murphy"]'],
  ['friends.#(first%"D*").last', 'Murphy'],
  ['friends.#(first!%"D*").last', 'Craig'],
  ['friends.#(nets.#(=="fb"))#.first', '["Dale","Roger"]'],
  ['friends.#(age>100)#.last', '[]'],
  ['friends.#(age>100).last', undefined],
  ['friends.#.first|0', 'Dale'],
  ['friends|#', '3'],
  ['children|@reverse', '["Jack","Alex","Sara"]'],
  ['children.@reverse.0', 'Jack'],
  ['name.@keys', '["first","last"]'],
  ['name|@values|1', 'Anderson'],
  ['inner.@fromstr.a', '1'],
  ['name.@tostr', '{"first":"Tom","last":"Anderson"}'],
  ['matrix.@flatten', '[1,2,3,[4]]'],
  ['friends.@join.first', 'Jane'],
  ['inner|@fromstr|@ugly', '{"a":1}'],
  ['@this.age', '37'],
  ['empty', '{}'],
  ['none.#', '0'],
  ['missing', undefined],
  ['name.first.deeper', undefined],
  ['', undefined],
]

describe('gjson paths', () => {
  it.each(rows)('%s', (path, wanted) => {
    expect(gjsonGet(document, path)).toBe(wanted)
  })

  it.each([
    '{name,age}',
    '[name,age]',
    '!"literal"',
    'name.@pretty',
    'name.@flatten:{"deep":true}',
    'name.@nothing',
    'friends.#(a=~true)',
    'friends.#(a',
  ])('%s is refused, not guessed', (path) => {
    expect(() => gjsonGet(document, path)).toThrow(UnsupportedPath)
  })

  it('a hostile pattern ends', () => {
    const long = JSON.stringify({ ['a'.repeat(2000)]: 1 })
    expect(gjsonGet(long, `${'*a'.repeat(200)}*b`)).toBeUndefined()
  })

  it('answers nothing from a broken document', () => {
    for (const text of ['', '{', '{"a":1', '[1,]', '{"a" 1}', 'nope', '{"a":1} x', '"\\q"'])
      expect(gjsonGet(text, 'a')).toBeUndefined()
  })
})

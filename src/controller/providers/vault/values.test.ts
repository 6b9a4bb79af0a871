import { describe, expect, it } from 'vitest'
import { parseJson } from '../../../lib/json/parse.ts'
import type { JsonObject } from '../../../lib/json/value.ts'
import { remoteValue } from './values.ts'

const data =
  parseJson(`{"username":"app","password":"s3cr<t>&","port":5432,"big":12345678901234567890,"f":1.0,"on":true,"nul":null,
  "nested":{"b":"<x>","a":{"b":[1,2,{"c":"deep"}]}},"dotted.key":"dot","dotted":{"key":"path"}}`) as JsonObject

const text = (property?: string) => Buffer.from(remoteValue(data, property)).toString()

describe('the value of a ref', () => {
  it('without property is all of it, keys sorted, escaped as Go does, numbers as written', () => {
    expect(text()).toBe(
      '{"big":12345678901234567890,"dotted":{"key":"path"},"dotted.key":"dot","f":1.0,"nested":{"a":{"b":[1,2,{"c":"deep"}]},"b":"\\u003cx\\u003e"},"nul":null,"on":true,"password":"s3cr\\u003ct\\u003e\\u0026","port":5432,"username":"app"}',
    )
    expect(text('')).toBe(text())
  })

  it.each([
    ['username', 'app'],
    ['password', 's3cr<t>&'],
    ['port', '5432'],
    ['big', '12345678901234567890'],
    ['f', '1.0'],
    ['on', 'true'],
    ['nul', ''],
    ['nested.a.b.2.c', 'deep'],
    ['nested.b', '<x>'],
    ['nested.a', '{"b":[1,2,{"c":"deep"}]}'],
    ['dotted.key', 'dot'],
    ['dotted\\.key', 'dot'],
  ])('of property %s is %s', (property, wanted) => {
    expect(text(property)).toBe(wanted)
  })

  it("of a property that is not there is an error in ESO's words", () => {
    expect(() => text('nope')).toThrow('cannot find secret data for key: "nope"')
    expect(() => text('__proto__')).toThrow('cannot find secret data for key: "__proto__"')
    expect(() => text('{username}')).toThrow('not supported')
  })
})

import { describe, expect, it } from 'vitest'
import { parseJson } from '../lib/json/parse.ts'
import { valueFromJson } from './from-json.ts'
import { fromBytes, toBytes } from './go-string.ts'
import { parseTemplate, type TemplateOptions } from './template.ts'
import { type GoFunction, GoStruct, type Value } from './value.ts'

const json = (text: string, numbers: 'text' | 'float' = 'text') => valueFromJson(parseJson(text), numbers)
const render = (text: string, data: Value = undefined, options?: TemplateOptions) =>
  parseTemplate('t', text, options).execute(data).toString()
const fn = (call: GoFunction['call'], params: GoFunction['params'] = [], rest?: GoFunction['rest']): GoFunction => ({
  params,
  call,
  ...(rest && { rest }),
})

describe('a template', () => {
  it('reaches nothing of JavaScript: such names are missing keys or refused', () => {
    const data = json('{"s":"x","m":{"__proto__":"own"},"l":[1]}')
    expect(render('{{.constructor}}|{{.__proto__}}|{{.m.__proto__}}|{{index .m "constructor"}}', data)).toBe(
      '<no value>|<no value>|own|<no value>',
    )
    for (const path of ['.s.constructor', '.s.length', '.l.length', '.l.constructor', '.l.map']) {
      expect(() => render(`{{${path}}}`, data), path).toThrow("can't evaluate field")
    }
  })

  it('keeps the text of numbers, and prints float64 as Go does', () => {
    const text = '{"n":2592000,"big":12345678901234567890,"f":1.0}'
    expect(render('{{.n}} {{.big}} {{.f}}', json(text))).toBe('2592000 12345678901234567890 1.0')
    expect(render('{{.n}} {{.big}} {{.f}}', json(text, 'float'))).toBe('2.592e+06 1.2345678901234567e+19 1')
  })

  it('renders the default of the injector byte for byte', () => {
    const data = json(
      '{"data":{"username":"u","password":"p"},"metadata":{"created_time":"2026-01-02T03:04:05.678Z","custom_metadata":null,"deletion_time":"","destroyed":false,"version":1}}',
    )
    const secret = new GoStruct('dependency.Secret', new Map([['Data', data]]))
    const text = '{{ with secret "secret/data/x" }}{{ range $k, $v := .Data }}{{ $k }}: {{ $v }}\n{{ end }}{{ end }}'
    const functions = new Map([['secret', fn(() => secret, ['string'], 'string')]])
    expect(render(text, undefined, { functions })).toBe(
      'data: map[password:p username:u]\nmetadata: map[created_time:2026-01-02T03:04:05.678Z custom_metadata:<nil> deletion_time: destroyed:false version:1]\n',
    )
  })

  it('refuses a field that a struct lacks', () => {
    const secret = new GoStruct('dependency.Secret', new Map([['Data', null]]))
    expect(() => render('{{.Nope}}', secret)).toThrow(
      'template: t:1:2: executing "t" at <.Nope>: can\'t evaluate field Nope in type *dependency.Secret',
    )
  })

  it('names an unknown function when it is parsed, not when it runs', () => {
    expect(() => parseTemplate('t', 'a\n{{ nope 1 }}')).toThrow('template: t:2: function "nope" not defined')
  })

  it('never puts data into an error', () => {
    const data = json('{"canary":"s3cr3t-canary","list":["s3cr3t-canary"],"m":{"k":"s3cr3t-canary"}}')
    const functions = new Map([['num', fn(() => 1n, ['int'])]])
    for (const text of [
      '{{range .canary}}{{end}}',
      '{{.canary.x}}',
      '{{num .canary}}',
      '{{index .list .canary}}',
      '{{index .canary .canary}}',
      '{{eq .list .list}}',
      '{{eq .canary 1}}',
      '{{lt .list .canary}}',
      '{{template "x" .canary}}',
      '{{slice .canary 0 99}}',
      '{{call .canary}}',
      '{{.m "x"}}',
    ]) {
      let message = ''
      try {
        render(text, data, { functions })
      } catch (error) {
        message = String(error)
      }
      expect(message, text).toMatch(/^TemplateError: template: t:1/)
      expect(message, text).not.toContain('s3cr3t')
    }
  })

  it('writes bytes that are no UTF-8 as they are', () => {
    const keystore = Buffer.from([0xfe, 0xed, 0xfe, 0xed, 0x00, 0xc3, 0x28, 0xe2, 0x82, 0xac])
    const text = fromBytes(keystore)
    expect(parseTemplate('t', '{{.}}').execute(text)).toEqual(keystore)
    expect(render('{{len .}} {{printf "%x" .}} {{slice . 7}}', text)).toBe('10 feedfeed00c328e282ac €')
    expect(toBytes(fromBytes(Buffer.from('é😀')))).toEqual(Buffer.from('é😀'))
  })

  it('ends when steps, bytes or time are used up', () => {
    let now = 0
    const clock = { monotonic: () => now++ }
    const endless = parseTemplate('t', '{{range 1000000000}}{{end}}')
    expect(() => endless.execute(undefined, { steps: 1000 })).toThrow('more than 1000 steps')
    expect(() => endless.execute(undefined, { ms: 1000, clock })).toThrow('takes too long')
    const doubling = parseTemplate('t', '{{$x := "aaaaaaaa"}}{{range 40}}{{$x = print $x $x}}{{end}}')
    expect(() => doubling.execute(undefined, { outputBytes: 1000 })).toThrow('more than 1000 bytes')
    expect(() => parseTemplate('t', '{{range 999}}abcdefgh{{end}}').execute(undefined, { outputBytes: 100 })).toThrow(
      'more than 100 bytes',
    )
    expect(() => render('{{printf "%2000000d" 1}}')).toThrow('too large')
    expect(() => render('{{define "r"}}{{template "r"}}{{end}}{{template "r"}}')).toThrow('maximum template depth')
    expect(() => render(`{{${'('.repeat(5000)}1${')'.repeat(5000)}}}`)).toThrow('max expression depth exceeded')
    expect(() => render('{{if 1}}'.repeat(5000))).toThrow('nesting too deep')
  })

  it('gives literals the type of their parameter', () => {
    const functions = new Map([
      ['int', fn((i) => i, ['int'])],
      ['float', fn((f) => f, ['float'])],
      ['text', fn((s) => s, ['string'])],
    ])
    const run = (text: string) => render(text, undefined, { functions })
    expect(run('{{int 1.0}} {{float 3}} {{printf "%T" (float 3)}} {{text "a"}}')).toBe('1 3 float64 a')
    expect(() => run('{{text 1}}')).toThrow('expected string; found 1')
    expect(() => run('{{int 1.5}}')).toThrow('expected integer; found 1.5')
    expect(() => run('{{text nil}}')).toThrow('cannot assign nil to string')
  })
})

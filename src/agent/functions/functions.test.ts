import { describe, expect, it } from 'vitest'
import { valueFromJson } from '../../gotemplate/from-json.ts'
import { parseTemplate } from '../../gotemplate/template.ts'
import { FakeClock } from '../../lib/fake-clock.ts'
import { parseJson } from '../../lib/json/parse.ts'
import { agentFunctions, isKnownElsewhere } from './table.ts'

const lookup = { secret: () => undefined, secrets: () => ['a', 'b/'] }
const functions = agentFunctions({ lookup, env: { HOME: '/h', EMPTY: '' }, clock: new FakeClock() })
const render = (text: string, data = '{}') =>
  parseTemplate('t', text, { functions })
    .execute(valueFromJson(parseJson(data), 'text'))
    .toString()

describe('template functions', () => {
  it.each([
    ['{{ "  a b " | trimSpace }}|{{ trim "xy" "xyaxbyx" }}|{{ "/a/" | trimPrefix "/" | trimSuffix "/" }}', 'a b|axb|a'],
    ['{{ "aXbX" | replaceAll "X" "$&" }}', 'a$&b$&'],
    [
      '{{ "Hello Straße" | toUpper }} {{ "HÉ" | toLower }} {{ "hello wOrld it\'s" | toTitle }}',
      "HELLO STRAßE hé Hello WOrld It's",
    ],
    ['{{ range split "," " a,b,c " }}<{{ . }}>{{ end }}{{ "" | split "," | len }}', '<a><b><c>0'],
    ['{{ "a:1,b:2,c" | splitToMap "," ":" }}', 'map[a:1 b:2]'],
    ['{{ "a,b" | split "," | join "-" }}', 'a-b'],
    ['{{ "a\\n\\nb\\n" | indent 2 }}', '  a\n\n  b\n'],
    [
      '{{ "abc" | contains "b" }} {{ split "," "a,b" | contains "c" }} {{ in (split "," "a,b") "a" }}',
      'true false true',
    ],
    [
      '{{ containsAll (split "," "a,b") (split "," "a,b,c") }}{{ containsNone (split "," "x") (split "," "a") }}',
      'truetrue',
    ],
    [
      '{{ "aGk=" | base64Decode }} {{ "hi" | base64Encode }} {{ "a?>b" | base64URLEncode }} {{ "YT8-Yg==" | base64URLDecode }}',
      'hi aGk= YT8-Yg== a?>b',
    ],
    ['{{ "abc" | sha256Hex }}', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
    ['{{ "abc" | md5sum }}', '900150983cd24fb0d6963f7d28e17f72'],
    ['{{ env "HOME" }}{{ env "NONE" }}{{ envOrDefault "EMPTY" "d" }}{{ mustEnv "HOME" }}', '/hd/h'],
    [
      '{{ timestamp }} {{ timestamp "unix" }} {{ timestamp "Mon Jan _2 15:04:05.000 2006" }}',
      '2026-01-02T03:04:05Z 1767323045 Fri Jan  2 03:04:05.000 2026',
    ],
    [
      '{{ add 1 2 }} {{ 5 | subtract 2 }} {{ multiply 2 1.5 }} {{ 7 | divide 2 }} {{ 7 | modulo 4 }} {{ maximum 1 2 }}',
      '3 3 3 3 3 2',
    ],
    ['{{ range loop 3 }}{{ . }}{{ end }} {{ range loop 5 "7" }}{{ . }}{{ end }}', '012 56'],
    ['{{ with parseJSON "{\\"n\\":2592000,\\"f\\":1.5}" }}{{ .n }} {{ .f }}{{ end }}', '2.592e+06 1.5'],
    ['{{ parseInt "42" }} {{ parseBool "T" }} {{ parseFloat "1.50" }} {{ parseInt "" }}', '42 true 1.5 0'],
    ['{{ range secrets "secret/metadata/" }}{{ . }} {{ end }}', 'a b/ '],
    ['{{ secret "x" }}{{ with secret "x" }}never{{ end }}', '<no value>'],
  ])('%s', (text, expected) => expect(render(text)).toBe(expected))

  it('prints JSON as Go does', () => {
    const data = '{"b":"<a>&\\"\\u2028","a":[1,2.50,1e30,true,null],"z":{},"y":[]}'
    expect(render('{{ . | toJSON }}', data)).toBe(
      '{"a":[1,2.50,1e30,true,null],"b":"\\u003ca\\u003e\\u0026\\"\\u2028","y":[],"z":{}}',
    )
    expect(render('{{ . | toUnescapedJSON }}', data)).toContain('"<a>&\\"\\u2028"')
    expect(render('{{ . | toJSONPretty }}', '{"b":{"c":[1]},"a":{}}')).toBe(
      '{\n  "a": {},\n  "b": {\n    "c": [\n      1\n    ]\n  }\n}',
    )
    expect(render('{{ parseJSON "[1,1.5,1e21,1e-7,100]" | toJSON }}')).toBe('[1,1.5,1e+21,1e-7,100]')
  })

  it('prints YAML that reads back as the same', async () => {
    const { parse } = await import('yaml')
    const data = {
      plain: 'text',
      yes: 'yes',
      number: '123',
      empty: '',
      colon: 'a: b',
      hash: 'a #b',
      quote: "it's",
      lines: 'a\nb\n',
      block: 'a\nb',
      cert: '-----BEGIN-----\nabc\n-----END-----\n',
      dash: '- x',
      tab: 'a\tb',
      nul: null,
      list: ['a', 1, { k: 'v', l: [true] }, []],
      map: { nested: { deep: 'x', list: ['y'] } },
    }
    const text = render('{{ . | toYAML }}', JSON.stringify(data))
    for (const version of ['1.1', '1.2'] as const) expect(parse(text, { version })).toEqual(data)
    expect(render('{{ . | toYAML }}', '{"b":[1,"x"],"a":"t"}')).toBe('a: t\nb:\n- 1\n- x')
  })

  it('fails without quoting what it was given', () => {
    for (const text of [
      '{{ base64Decode .s }}',
      '{{ parseJSON .s }}',
      '{{ parseInt .s }}',
      '{{ parseBool .s }}',
      '{{ mustEnv .s }}',
      '{{ secret .s .s }}',
    ]) {
      expect(() => render(text, '{"s":"{canary!"}'), text).not.toThrow('canary')
      if (!text.includes('secret')) expect(() => render(text, '{"s":"{canary!"}'), text).toThrow('error calling')
    }
    expect(() => render('{{ mustEnv "NONE" }}')).toThrow(
      '<mustEnv "NONE">: error calling mustEnv: the environment has no such variable',
    )
    expect(render('{{ env "constructor" }}')).toBe('')
  })

  it('knows which functions only consul-template has', () => {
    for (const name of ['key', 'service', 'pkiCert', 'sprig_upper', 'scratch'])
      expect(isKnownElsewhere(name)).toBe(true)
    for (const name of functions.keys()) expect(isKnownElsewhere(name), name).toBe(false)
    expect(isKnownElsewhere('typo')).toBe(false)
  })
})

it('gets through long runs of spaces', () => {
  const s = `x${' '.repeat(400_000)}x`
  const text = '{{ .s | trimSpace | len }} {{ .s | split "," | len }} {{ .s | toYAML | len }}'
  expect(render(text, JSON.stringify({ s }))).toBe('400002 1 400004')
})

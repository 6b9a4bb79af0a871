import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { defaultPolicy, responseWrappingPolicy } from '../builtin-policies.ts'
import { parsePolicy } from '../parse-policy.ts'
import { formatPolicy } from './format-policy.ts'

it('indents by two, puts each item on its line and the equal signs in a column', () => {
  const text = `path   "a/*"   {capabilities=["read","list"],comment = "why"
      min_wrapping_ttl= 5 }
path "b" { policy = "read" # old
}`
  expect(formatPolicy(text)).toBe(`path "a/*" {
  capabilities     = ["read", "list"]
  comment          = "why"
  min_wrapping_ttl = 5
}

path "b" {
  policy = "read" # old
}
`)
})

it('keeps comments where they stand, and one blank line', () => {
  const text = `# top


# of a
path "a" {
  // inside
  policy = "read"


  /* long
     one */
}
# end`
  expect(formatPolicy(text)).toBe(`# top

# of a
path "a" {
  // inside
  policy = "read"

  /* long
     one */
}

# end
`)
})

it('keeps lists as tall as they were written', () => {
  expect(
    formatPolicy('path "a" {\ncapabilities = ["read", # see\n"list"\n]\nallowed_parameters = {"x"=[],"yy"=["1"]}\n}'),
  ).toBe(`path "a" {
  capabilities = [
    "read",
    # see
    "list",
  ]
  allowed_parameters = {
    "x"  = []
    "yy" = ["1"]
  }
}
`)
})

describe('does not change', () => {
  it.each([
    ['default', defaultPolicy],
    ['wrapping', responseWrappingPolicy],
    ['nothing', ''],
    ['text with marks', 'path "a#b{=}" { comment = "/* no */ ${x} # no" }'],
    ['a heredoc', 'path "a" {\n  comment = <<EOT\n  # text {\nEOT\n}\n'],
  ])('what it has formatted: %s', (_, text) => {
    const once = formatPolicy(text)
    expect(formatPolicy(once)).toBe(once)
  })

  it('what any policy means', () => {
    const word = fc.constantFrom('a', '"b c"', '"x#y"', '"{{identity.entity.id}}"', '"q\\"r"')
    const gap = fc.constantFrom('', ' ', '\n', '\n\n', ' # c\n', ' /* d */ ')
    const rule = fc
      .tuple(word, gap, gap, fc.boolean())
      .map(
        ([path, g, h, tall]) =>
          `path ${path}${g.includes('#') ? ' ' : g}{${h}capabilities${h.includes('#') ? ' ' : h.replaceAll('\n', ' ')}=[${tall ? '\n' : ''}"read",${tall ? '\n' : ''}"list"]${h}}\n`,
      )
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 4 }), (rules) => {
        const text = rules.join('')
        const strip = (t: string) => parsePolicy('p', t).rules.map(({ line: _, ...rest }) => rest)
        const formatted = formatPolicy(text)
        expect(strip(formatted)).toEqual(strip(text))
        expect(formatPolicy(formatted)).toBe(formatted)
      }),
      { numRuns: 500 },
    )
  })
})

it('refuses what is no policy, and JSON', () => {
  expect(() => formatPolicy('path "a" {')).toThrow('failed to parse policy: At 1:12')
  expect(() => formatPolicy('{"path":{}}')).toThrow('only HCL')
})

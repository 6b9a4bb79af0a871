import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { Refusal } from '../contracts/request.ts'
import { defaultPolicy, responseWrappingPolicy } from './builtin-policies.ts'
import { parsePolicy } from './parse-policy.ts'

const refusal = (text: string) => {
  try {
    parsePolicy('p', text)
  } catch (error) {
    if (error instanceof Refusal) return { status: error.status, text: error.message }
    throw error
  }
  return undefined
}

it.each([
  ['path "a" { capabilities = ["fly"] }', 'path "a": invalid capability "fly"'],
  ['path "a" {', 'At 1:12: object expected closing RBRACE got: EOF'],
  ['path "a" { nonsense = 1 }', '1 error occurred:\n\t* path "a": invalid key "nonsense" on line 1\n\n'],
  [
    'paths "a" {}\nother = 1',
    '2 errors occurred:\n\t* invalid key "paths" on line 1\n\t* invalid key "other" on line 2\n\n',
  ],
  ['path "a" { policy = "all" }', 'path "a": invalid policy "all"'],
  ['path "a/+*" { policy = "read" }', 'path "a/+*": invalid use of wildcards (\'+*\' is forbidden)'],
  ['path "{{identity.entity.id" { policy = "read" }', 'path "{{identity.entity.id": unbalanced templating characters'],
  [`path "{{${' '.repeat(50_000)}" {}`, `path "{{${' '.repeat(50_000)}": unbalanced templating characters`],
  ['path "{{time.now}}" { policy = "read" }', 'path "{{time.now}}": unknown template "time.now"'],
  [
    'path "a" { min_wrapping_ttl = "2m" max_wrapping_ttl = "1m" }',
    'path "a": max_wrapping_ttl cannot be less than min_wrapping_ttl',
  ],
  ['path "a" { min_wrapping_ttl = "soon" }', 'path "a": error parsing min_wrapping_ttl'],
  ['path "a" { capabilities = ["read"] capabilities = ["list"] }', 'At 1:36: duplicate key "capabilities"'],
  ['path "a" { capabilities = [1] }', 'path "a": "capabilities" must be a list of strings'],
  ['path = "a"', 'At 1:1: "path" must be a block'],
  [
    'path "a" { capabilities = ["read"] control_group = {} }',
    '1 error occurred:\n\t* path "a": this server does not support "control_group" on line 1\n\n',
  ],
])('refuses %j in these words', (text, message) => {
  expect(refusal(text)).toEqual({ status: 400, text: `failed to parse policy: ${message}` })
})

it('never ignores a restriction that it cannot keep', () => {
  for (const key of [
    'mfa_methods',
    'control_group',
    'pagination_limit',
    'expiration',
    'list_scan_response_keys_filter_path',
  ]) {
    expect(refusal(`path "a" { policy = "read" ${key} = [] }`)?.text).toContain(`does not support "${key}"`)
  }
})

describe('accepts', () => {
  it('HCL and JSON alike', () => {
    const hcl = parsePolicy(
      'p',
      'name = "x"\npath "/s/*" { capabilities = ["read", "scan"] allowed_parameters { "A" = "v" } comment = "why" }',
    )
    const json = parsePolicy(
      'p',
      '{"name":"x","path":{"s/*":{"capabilities":["read","scan"],"allowed_parameters":{"a":["v"]}}}}',
    )
    expect(hcl).toEqual(json)
    expect(hcl.rules[0]).toMatchObject({ path: 's/*', capabilities: 130, minWrapMs: 0 })
    expect(hcl.rules[0]?.allowed?.get('a')).toEqual(['v'])
  })

  it('what the seed and the built-in policies hold', () => {
    const seed = new URL('../../../examples/seed/', import.meta.url)
    const files = readdirSync(seed).filter((name) => name.endsWith('.hcl'))
    expect(files.length).toBeGreaterThan(0)
    for (const name of files) expect(parsePolicy('p', readFileSync(new URL(name, seed), 'utf8')).rules).toHaveLength(1)
    expect(parsePolicy('default', defaultPolicy).rules.map((r) => r.path)).toContain('auth/token/lookup-self')
    expect(parsePolicy('w', responseWrappingPolicy).rules).toHaveLength(2)
  })

  it('an empty policy', () => expect(parsePolicy('p', '# nothing\n').rules).toEqual([]))
})

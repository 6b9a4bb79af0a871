import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { Refusal } from '../contracts/request.ts'
import { defaultPolicy, responseWrappingPolicy } from './builtin-policies.ts'
import { parsePolicy, policySteps } from './parse-policy.ts'

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
  [
    'path "{{identity.entity.id" { policy = "read" }',
    'failed to validate policy templating: unbalanced templating characters',
  ],
  [`path "{{${' '.repeat(50_000)}" {}`, 'failed to validate policy templating: unbalanced templating characters'],
  [
    'path "a" { min_wrapping_ttl = "2m" max_wrapping_ttl = "1m" }',
    'max_wrapping_ttl cannot be less than min_wrapping_ttl',
  ],
  ['path "a" { min_wrapping_ttl = "soon" }', 'error parsing min_wrapping_ttl: time: invalid duration "soon"'],
  ['name = 1', 'At 1:1: "name" must be a string'],
  ['name = "a"\nname = "b"', 'At 2:1: duplicate key "name"'],
  [
    'path "a" { policy = "read" expiration = "soon" }',
    'path "a": invalid expiration time: want RFC 3339 or seconds since 1970, got "soon"',
  ],
  ['path "a" { pagination_limit = "many" }', 'path "a": "pagination_limit" must be a whole number'],
  [
    'path "a" { capabilities = ["read"] list_scan_response_keys_filter_path = "{{ .key }}" }',
    'list_scan_response_keys_filter_path needs to be used on a path with the list capability',
  ],
  [
    'path "a" { capabilities = ["list"] list_scan_response_keys_filter_path = "{{ .path }}" }',
    'list_scan_response_keys_filter_path resulted in same path for two different keys',
  ],
  [
    'path "a" { capabilities = ["list"] list_scan_response_keys_filter_path = "{{ .key | env }}" }',
    'unable to compile template for list_scan_response_keys_filter_path: function "env" not defined',
  ],
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
  for (const key of ['mfa_methods', 'control_group', 'subscribe_event_types']) {
    expect(refusal(`path "a" { policy = "read" ${key} = [] }`)?.text).toContain(`does not support "${key}"`)
  }
})

it('knows where a rule stands, except in JSON', () => {
  expect(parsePolicy('p', '# one\n\npath "a" {}\npath "b" {}').rules.map(({ line }) => line)).toEqual([3, 4])
  expect(parsePolicy('p', '{"path":{"a":{"policy":"read"}}}').rules[0]?.line).toBeUndefined()
})

it.each([
  ['"2030-01-02T03:04:05Z"', Date.UTC(2030, 0, 2, 3, 4, 5)],
  ['"2030-01-02T03:04:05.5+01:00"', Date.UTC(2030, 0, 2, 2, 4, 5, 500)],
  ['"1900000000"', 1_900_000_000_000],
  ['1900000000', 1_900_000_000_000],
])('reads the expiration %s', (text, ms) => {
  expect(parsePolicy('p', `path "a" { policy = "read" expiration = ${text} }`).rules[0]?.expiresAt).toBe(ms)
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
    expect({ ...hcl, rules: hcl.rules.map(({ line: _, ...rule }) => rule) }).toEqual(json)
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

  it('templates that nothing will ever fill, as Vault does', () =>
    expect(parsePolicy('p', 'path "{{time.now}}" { policy = "read" }').rules).toHaveLength(1))

  it('an empty policy', () => expect(parsePolicy('p', '# nothing\n').rules).toEqual([]))
})

it.each([
  [
    'a mistake of the syntax, though it stands last',
    'name = 1\npath = 1\nq = 1\npath "a" { policy = "x" }\n}',
    'At 5:1: ',
  ],
  ['a wrong name', 'path = 1\nq = 1\npath "a" { policy = "x" }\nname = 1', 'At 4:1: "name"'],
  ['what should be a block', 'q = 1\npath "a" { policy = "x" }\npath = 1', 'At 3:1: "path" must be a block'],
  [
    'all unknown keys, those outside blocks first',
    'path "a" { policy = "x" z = 1 }\nq = 1\npath "b" { z = 1 }',
    '3 errors occurred:\n\t* invalid key "q" on line 2\n\t* path "a": invalid key "z" on line 1\n\t* path "b": invalid key "z"',
  ],
  ['the first wrong rule', 'path "a" { policy = "x" }\npath "b" { policy = "y" }', 'path "a": invalid policy "x"'],
])('of several mistakes tells %s', (_, text, words) => {
  expect(refusal(text)?.text.startsWith(`failed to parse policy: ${words}`)).toBe(true)
})

it.each([
  ['blocks', Array.from({ length: 4000 }, (_, i) => `path "p/${i}" { capabilities = ["read"] }`).join('\n')],
  [
    'JSON, all in one member',
    JSON.stringify({
      path: Object.fromEntries(Array.from({ length: 4000 }, (_, i) => [`p/${i}`, { policy: 'read' }])),
    }),
  ],
])('a long policy of %s lets others run all the way through', (_, text) => {
  const steps = policySteps('p', text)
  let pauses = 0
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done) {
      expect(step.value.rules).toHaveLength(4000)
      break
    }
    pauses += 1
  }
  expect(pauses).toBeGreaterThan(40)
})

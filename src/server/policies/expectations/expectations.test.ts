import { describe, expect, it } from 'vitest'
import { LocalPolicyProblem, localPolicy } from './local-policy.ts'
import { readExpectations } from './read-expectations.ts'

const app =
  'path "secret/data/{{identity.entity.name}}/*" { capabilities = ["read", "update"] denied_parameters = { "x" = [] } }'
const file = `
policies = ["app.hcl"]
identity {
  "identity.entity.name" = "bob"
}
allow "its own" {
  operation = ["read", "update"]
  path      = "/secret/data/bob/db"
}
deny "others' and lists" {
  operation = "list"
  path      = ["secret/data/eve/", "secret/data/bob"]
}
deny "parameter" {
  operation = "update"
  path      = "secret/data/bob/db"
  data      = { x = 1 }
}`
const judge = (expectations: string, text = app) =>
  localPolicy.judge({ policies: [{ name: 'app', text }], expectations, now: 0 })

it('reads each operation and path as a check of its own, in the order of the file', () => {
  const { checks, policies } = localPolicy.readExpectations(file)
  expect(policies).toEqual(['app.hcl'])
  expect(checks.map(({ expected, operation, path }) => [expected, operation, path])).toEqual([
    ['allow', 'read', 'secret/data/bob/db'],
    ['allow', 'update', 'secret/data/bob/db'],
    ['deny', 'list', 'secret/data/eve/'],
    ['deny', 'list', 'secret/data/bob/'],
    ['deny', 'update', 'secret/data/bob/db'],
  ])
  expect(checks[4]?.data).toEqual({ x: 1 })
})

it('judges by the policies, with the identity of the file', () => {
  expect(judge(file).map(({ allowed }) => allowed)).toEqual([true, true, false, false, false])
  expect(judge(file.replace('"bob"', '"eve"')).map(({ allowed }) => allowed)).toEqual([
    false,
    false,
    false,
    false,
    false,
  ])
})

it('says why, and what would allow it', () => {
  const [first] = judge('allow "a" { operation = "read" path = "b" }')
  expect(first?.reason).toContain('no rule matches "b"')
  expect(first?.allowWith).toContain('path "b"')
})

describe('refuses', () => {
  it.each([
    ['', 'nothing is expected'],
    ['policies = []', 'nothing is expected'],
    ['alow "a" {}', 'unknown "alow": want policies, identity, allow, deny'],
    ['allow "a" { path = "b" }', 'line 1, column 1: allow "a" needs operation and path'],
    ['allow "a" { operation = "fly" path = "b" }', 'unknown operation "fly"'],
    ['allow "a" { operation = "read" path = [] sudo = true }', 'unknown "sudo"'],
    ['allow "a" { operation = "read" path = 1 }', '"path" must be a string'],
    ['allow "a" { operation = "read" path = "b" data = "x" }', '"data" must be an object'],
    ['allow "a" { operation = "read" path = "b" wrap_ttl = "soon" }', '"wrap_ttl" must be a duration'],
    ['identity { a = 1 }\nallow "a" { operation = "read" path = "b" }', '"a" must be a string'],
    ['allow "a" {', 'expected closing RBRACE'],
  ])('%j', (text, message) => expect(() => readExpectations(text)).toThrow(message))

  it('a policy that is none, naming it', () => {
    expect(() => judge('deny "a" { operation = "read" path = "b" }', 'path')).toThrow(LocalPolicyProblem)
    expect(() => judge('deny "a" { operation = "read" path = "b" }', 'path')).toThrow('app: failed to parse policy')
  })
})

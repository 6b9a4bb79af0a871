import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decidesPolicies, matchesGlob, rolePolicies } from './role-policies.ts'
import { newTokenRole, type TokenRole } from './token-role.ts'

const role = (more: Partial<TokenRole>): TokenRole => ({ ...newTokenRole, ...more })
const parent = ['default', 'maker']

describe('the policies that a role lets through', () => {
  it.each<[string, Partial<TokenRole>, string[], string[]]>([
    ['its own when nothing is asked for', { allowedPolicies: ['app'] }, [], ['app', 'default']],
    ['some of its own', { allowedPolicies: ['app', 'web'] }, ['web'], ['default', 'web']],
    ['by glob', { allowedPoliciesGlob: ['app-*'] }, ['app-1', 'APP-2'], ['app-1', 'app-2', 'default']],
    ['default alone when only globs are allowed', { allowedPoliciesGlob: ['app-*'] }, [], ['default']],
    ["the parent's, with default, when it only disallows", { disallowedPolicies: ['x'] }, [], ['default', 'maker']],
    ['anything that is not disallowed', { disallowedPolicies: ['x'] }, ['y'], ['default', 'y']],
    ['without default when it says so', { allowedPolicies: ['app'], noDefaultPolicy: true }, [], ['app']],
    [
      'without default when that is disallowed',
      { allowedPolicies: ['app'], disallowedPolicies: ['default'] },
      ['app'],
      ['app'],
    ],
    ['without default when a glob disallows it', { disallowedPoliciesGlob: ['def*'] }, ['app'], ['app']],
  ])('%s', (_, rules, asked, policies) => {
    expect(rolePolicies(role(rules), asked, parent, false)).toEqual(policies)
  })

  it.each<[Partial<TokenRole>, string[], string]>([
    [
      { allowedPolicies: ['app'] },
      ['other'],
      `token policies (["default" "other"]) must be subset of the role's allowed policies (["app" "default"]) or glob policies ([])`,
    ],
    [
      { allowedPoliciesGlob: ['app-*'] },
      ['app-1', 'web'],
      `token policies (["app-1" "default" "web"]) must be subset of the role's allowed policies (["default"]) or glob policies (["app-*"])`,
    ],
    [{ disallowedPolicies: ['x'] }, ['x', 'y'], 'token policy "x" is disallowed by this role'],
    [{ disallowedPoliciesGlob: ['x*'] }, ['x-1'], 'token policy "x-1" is disallowed by this role'],
    [{ allowedPolicies: ['x'], disallowedPolicies: ['x'] }, [], 'token policy "x" is disallowed by this role'],
    [{ disallowedPolicies: ['maker'] }, [], 'token policy "maker" is disallowed by this role'],
  ])('but not %j with %j', (rules, asked, error) => {
    expect(() => rolePolicies(role(rules), asked, parent, false)).toThrow(error)
  })

  it('are not its affair when it has no lists', () => {
    expect(decidesPolicies(role({ orphan: true }))).toBe(false)
    expect(decidesPolicies(role({ disallowedPoliciesGlob: ['x'] }))).toBe(true)
  })
})

describe('a glob', () => {
  it('means what the regular expression means', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 6 })
    const plain = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 8 })
    fc.assert(
      fc.property(text, plain, (pattern, subject) => {
        const wanted = new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(subject)
        expect(matchesGlob([pattern], subject)).toBe(wanted)
      }),
      { numRuns: 2000 },
    )
  })
})

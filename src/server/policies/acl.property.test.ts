/** The compiled policies against a slow model that looks at every rule for every question. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileAcl } from './acl.ts'
import { bits, type Policy, type PolicyRule } from './policy.ts'

const segment = fc.constantFrom('a', 'ab', 'b', '+', '+a', '', '{{me}}')
const pattern = fc
  .tuple(fc.array(segment, { minLength: 1, maxLength: 4 }), fc.constantFrom('', '', '*', '/', '/*'))
  .map(([parts, end]) => parts.join('/') + end)
  .filter((text) => !text.includes('+*') && !text.startsWith('/'))
const capability = fc.constantFrom(
  bits.read,
  bits.list,
  bits.scan,
  bits.read | bits.list,
  bits.deny,
  0,
  bits.sudo | bits.read,
)
const rule: fc.Arbitrary<PolicyRule> = fc.record({
  path: pattern,
  capabilities: capability,
  required: fc.constant([]),
  minWrapMs: fc.constant(0),
  maxWrapMs: fc.constant(0),
})
const policies = fc.array(fc.array(rule, { maxLength: 6 }), { maxLength: 4 })
const pathArbitrary = fc
  .array(fc.constantFrom('a', 'ab', 'abc', 'b', ''), { minLength: 1, maxLength: 5 })
  .map((parts) => parts.join('/'))
const value = fc.constantFrom(undefined, 'a', 'ab', '*', 'a/b')

const isPattern = (text: string) => /^\+(\/|$)|\/\+|\*$/.test(text)
const toRegExp = (text: string) => {
  const open = text.endsWith('*')
  const parts = (open ? text.slice(0, -1) : text).split('/')
  const body = parts.map((part) => (part === '+' ? '[^/]*' : part.replace('+', '\\+'))).join('/')
  return new RegExp(`^${body}${open ? '.*' : ''}$`, 's')
}

/** The five tie-breaks: the larger wins, from left to right. */
function rank(text: string): (number | string)[] {
  const stem = text.replace(/\*$/, '')
  const plus = /^\+(\/|$)|\/\+/.test(text)
  const wild = stem.split('/').filter((part) => part === '+').length
  return [plus ? text.indexOf('+') : stem.length, text.endsWith('*') ? 0 : 1, plus ? -wild : 0, stem.length, stem]
}
function closer(a: string, b: string): boolean {
  const [x, y] = [rank(a), rank(b)]
  for (let i = 0; i < x.length; i += 1) if (x[i] !== y[i]) return (x[i] ?? 0) > (y[i] ?? 0)
  return false
}

type Verb = 'read' | 'list' | 'scan'

/** The capabilities that count for a path: of every rule that names the one deciding pattern. */
function model(rules: readonly PolicyRule[], path: string, verb: Verb): number {
  const capabilitiesOf = (text: string) => {
    const all = rules.filter((r) => r.path === text).map((r) => r.capabilities)
    return all.includes(bits.deny) ? bits.deny : all.reduce((a, b) => a | b, 0)
  }
  const texts = [...new Set(rules.map((r) => r.path))]
  const bare = verb !== 'read' && path.endsWith('/') ? path.slice(0, -1) : undefined
  const best = (target: string) =>
    texts
      .filter((text) => isPattern(text) && toRegExp(text).test(target))
      .reduce<string | undefined>(
        (found, text) => (found === undefined || closer(text, found) ? text : found),
        undefined,
      )
  for (const exact of [path, bare]) {
    if (exact !== undefined && texts.includes(exact) && !isPattern(exact)) return capabilitiesOf(exact)
  }
  const candidates = [best(path), ...(bare === undefined || verb === 'scan' ? [] : [best(bare)])]
  const [first, second] = candidates
    .filter((text) => text !== undefined)
    .filter((text, i, all) => all.indexOf(text) === i)
    .sort((a, b) => (closer(a, b) ? -1 : 1))
  if (first === undefined) return 0
  const own = capabilitiesOf(first)
  if (second === undefined || own & (bits.deny | bits.list)) return own
  const other = capabilitiesOf(second)
  return other & bits.list ? other : own
}

describe('the compiled policies agree with the model', () => {
  it('for every path, verb and identity', () => {
    fc.assert(
      fc.property(
        policies,
        pathArbitrary,
        fc.constantFrom<Verb>('read', 'list', 'scan'),
        value,
        (groups, path, verb, me) => {
          const named: Policy[] = groups.map((rules, i) => ({ name: `p${i}`, rules }))
          const acl = compileAcl(named, { template: () => me })
          const safe = me !== undefined && !/[*/]/.test(me)
          const filled = groups.flat().flatMap((r) => {
            if (!r.path.includes('{{')) return [r]
            const text = r.path.replaceAll('{{me}}', me ?? '')
            return safe && !text.includes('+*') ? [{ ...r, path: text }] : []
          })
          const found = model(filled, path, verb)
          const expected = found & bits.deny ? 0 : found
          const verdict = acl.check({ path, operation: verb })
          expect(verdict.allowed).toBe((expected & bits[verb]) !== 0)
          expect(verdict.sudo).toBe((expected & bits.sudo) !== 0)
          expect(verdict.granting.length > 0).toBe(verdict.allowed)
        },
      ),
      { numRuns: 25_000 },
    )
  })

  it('asked from a child namespace as for the whole path', () => {
    fc.assert(
      fc.property(policies, pathArbitrary, (groups, path) => {
        const acl = compileAcl(groups.map((rules, i) => ({ name: `p${i}`, rules })))
        const whole = acl.check({ path: `a/${path}`, operation: 'read' })
        expect(acl.below('a/').check({ path, operation: 'read' })).toEqual(whole)
        expect(acl.below('a/').capabilities(path)).toEqual(acl.capabilities(`a/${path}`))
      }),
      { numRuns: 2000 },
    )
  })

  it('whatever they allow, they reach from every folder above', () => {
    fc.assert(
      fc.property(policies, pathArbitrary, (groups, target) => {
        const acl = compileAcl(groups.map((rules, i) => ({ name: `p${i}`, rules })))
        if (!acl.check({ path: target, operation: 'read' }).allowed) return
        const parts = target.split('/').slice(0, -1)
        // A deny on the folder's own path may hide it, as in Vault.
        if (groups.flat().some((r) => r.capabilities === bits.deny || r.capabilities === 0)) return
        for (let i = 1; i <= parts.length; i += 1) {
          expect(acl.reaches(`${parts.slice(0, i).join('/')}/`)).toBe(true)
        }
      }),
      { numRuns: 2000 },
    )
  })
})

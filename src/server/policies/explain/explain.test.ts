import { describe, expect, it } from 'vitest'
import { compileAcl } from '../acl.ts'
import { parsePolicy } from '../parse-policy.ts'
import { Denials } from './denials.ts'
import { type ExplainRequest, explain } from './explain.ts'

const policies = (...texts: string[]) => texts.map((text, i) => parsePolicy(`p${i}`, text))
const why = (texts: string | string[], request: Partial<ExplainRequest>) =>
  explain(policies(...[texts].flat()), { path: 'secret/app', operation: 'read', ...request })
const rule = (path: string, capabilities: string, more = '') =>
  `path "${path}" { capabilities = [${capabilities}] ${more} }`

describe('says what decides', () => {
  it('nothing, where no rule matches, and offers the rule for the one path', () => {
    const found = why(rule('other', '"read"'), {})
    expect(found).toMatchObject({ allowed: false, missing: { kind: 'rule' }, others: [] })
    expect(found.rule).toBeUndefined()
    expect(found.remedy).toEqual({
      kind: 'policy',
      text: 'path "secret/app" {\n  capabilities = ["read"]\n}\n',
    })
  })

  it('the most specific rule, from all its policies and lines, and why the others lost', () => {
    const found = why(
      [`\n${rule('secret/*', '"list"')}`, rule('secret/*', '"delete"'), rule('*', '"read"'), rule('+/app', '"read"')],
      {},
    )
    expect(found.rule).toEqual({
      path: 'secret/*',
      capabilities: ['list', 'delete'],
      from: [
        { policy: 'p0', line: 2, capabilities: ['list'] },
        { policy: 'p1', line: 1, capabilities: ['delete'] },
      ],
    })
    expect(found.missing).toEqual({ kind: 'capability', needs: 'read' })
    expect(found.reason).toContain('lacks the capability "read"')
    expect(found.others.map(({ path, lostBecause }) => [path, lostBecause])).toEqual([
      ['*', 'its first wildcard comes earlier'],
      ['+/app', 'its first wildcard comes earlier'],
    ])
  })

  it.each([
    [['secret/app', 'secret/*'], 'an exact path counts before any wildcard'],
    [['secret/+', 'secret/*'], 'it ends in a wildcard'],
    [['s*', '*'], 'its first wildcard comes earlier'],
  ])('of %j the first, because %s', ([winner = '', loser = ''], because) => {
    const found = why([rule(winner, '"read"'), rule(loser, '"read"')], {})
    expect(found.rule?.path).toBe(winner)
    expect(found.others).toMatchObject([{ path: loser, lostBecause: because }])
    expect(found).toMatchObject({ allowed: true })
    expect(found.remedy).toBeUndefined()
  })

  it('for a list also a less specific rule', () => {
    const found = why([rule('secret/+', '"list"'), rule('secret/app/*', '"read"')], {
      operation: 'list',
      path: 'secret/app/',
    })
    expect(found).toMatchObject({ allowed: true, rule: { path: 'secret/+' } })
    expect(found.others[0]?.lostBecause).toContain('says nothing about listing')
  })

  it('root', () =>
    expect(explain([{ name: 'root', rules: [] }], { path: 'x', operation: 'delete' })).toMatchObject({ allowed: true }))
})

describe('what is missing and what to do', () => {
  it('a capability: a rule for the one path keeps what the wider one gave and limited', () => {
    const wide = rule('secret/*', '"read"', 'max_wrapping_ttl = "1h" required_parameters = ["x"]')
    const found = why(wide, { operation: 'update', wrapTtlMs: 1000, input: { x: 1 } })
    expect(found.remedy).toEqual({
      kind: 'policy',
      text: 'path "secret/app" {\n  capabilities = ["read", "update"]\n  required_parameters = ["x"]\n  max_wrapping_ttl = "1h0m0s"\n}\n',
    })
  })

  it('of an exact rule: one more rule with the same path', () => {
    const found = why(rule('secret/app', '"list"'), {})
    expect(found.remedy).toEqual({ kind: 'policy', text: 'path "secret/app" {\n  capabilities = ["read"]\n}\n' })
  })

  it('an exact deny cannot be overridden: it names who denies and where', () => {
    const found = why(['# one', rule('secret/app', '"read"'), `\n\n${rule('secret/app', '"deny"')}`], {})
    expect(found).toMatchObject({ missing: { kind: 'deny' }, rule: { capabilities: ['deny'] } })
    expect(found.reason).toContain('"deny" in "p2" clears all capabilities')
    expect(found.remedy).toEqual({
      kind: 'change',
      text: 'take "deny" out of the rule for "secret/app" in "p2" (line 3): no other rule overrides it',
    })
  })

  it('a wide deny can: by a closer rule', () => {
    expect(why(rule('secret/*', '"deny"'), {}).remedy).toMatchObject({ kind: 'policy' })
  })

  it('sudo', () => {
    const found = why(rule('secret/app', '"read"'), { needsSudo: true })
    expect(found).toMatchObject({ allowed: false, missing: { kind: 'sudo' } })
    expect(found.remedy?.text).toContain('["sudo", "read"]')
  })

  it.each<[string, Partial<ExplainRequest>, object, object]>([
    [
      'required_parameters = ["x"]',
      {},
      { name: 'x', why: 'required' },
      { kind: 'request', text: 'send the parameter "x"' },
    ],
    ['denied_parameters = { "x" = [] }', { input: { x: 1 } }, { name: 'x', why: 'denied' }, { kind: 'change' }],
    ['allowed_parameters = { "y" = [] }', { input: { X: 1 } }, { name: 'X', why: 'not allowed' }, { kind: 'policy' }],
    [
      'allowed_parameters = { "x" = ["a"] }',
      { input: { x: 'b' } },
      { name: 'x', why: 'not allowed' },
      { kind: 'policy' },
    ],
  ])('a parameter: %s', (limits, request, missing, remedy) => {
    const found = why(rule('secret/app', '"update"', limits), { operation: 'update', ...request })
    expect(found.missing).toEqual({ kind: 'parameter', ...missing })
    expect(found.remedy).toMatchObject(remedy)
  })

  it('a denied parameter of a wide rule: a closer one without it', () => {
    const wide = rule('secret/*', '"update"', 'denied_parameters = { "x" = [] "y" = [] }')
    const { remedy } = why(wide, { operation: 'update', input: { x: 1 } })
    expect(remedy).toMatchObject({ kind: 'policy' })
    expect(remedy?.text).toContain('"y" = []')
    expect(remedy?.text).not.toContain('"x"')
  })

  it('wrapping', () => {
    const limits = 'min_wrapping_ttl = "30s" max_wrapping_ttl = "1m"'
    const found = why(rule('secret/app', '"read"', limits), {})
    expect(found.missing).toEqual({ kind: 'wrapping', minMs: 30_000, maxMs: 60_000 })
    expect(found.remedy?.text).toContain('for at least 30s and at most 60s')
    const both = why(
      [
        rule('secret/app', '"read"', 'min_wrapping_ttl = "2m"'),
        rule('secret/app', '"read"', 'max_wrapping_ttl = "1m"'),
      ],
      { wrapTtlMs: 90_000 },
    )
    expect(both.remedy).toMatchObject({ kind: 'change' })
  })

  it('a page', () => {
    const found = why(rule('secret/*', '"list"', 'pagination_limit = 5'), {
      operation: 'list',
      path: 'secret/',
      input: { limit: 9 },
    })
    expect(found.missing).toEqual({ kind: 'page', limit: 5, why: 'too large' })
    expect(found.remedy).toMatchObject({ kind: 'request' })
  })

  it('every rule that is offered allows the request, also paths that look like patterns', () => {
    for (const path of ['a*', 'a/+', 'x"y', 'ü/$', '${a}', '{{identity.entity.id}}']) {
      const request = { path, operation: 'read' } as const
      const { remedy } = why(rule('b', '"list"'), request)
      if (remedy?.kind !== 'policy') expect(remedy?.text).toContain('no rule can name this path')
      else expect(compileAcl([parsePolicy('fix', remedy.text)]).check(request).allowed).toBe(true)
    }
  })
})

it('names rules that this identity or this time takes out', () => {
  const texts = [
    rule('own/{{identity.entity.name}}', '"read"'),
    rule('old', '"read"', 'expiration = "1970-01-01T00:00:01Z"'),
  ]
  const at = (name: string | undefined) =>
    explain(policies(...texts), { path: 'x', operation: 'read' }, { now: () => 1000, template: () => name }).dropped
  expect(at(undefined)).toEqual([
    { policy: 'p0', path: 'own/{{identity.entity.name}}', because: 'there is no value for identity.entity.name' },
    { policy: 'p1', path: 'old', because: 'it expired at 1970-01-01T00:00:01.000Z' },
  ])
  expect(at('a/b')[0]?.because).toContain('could widen')
  expect(at('bob')).toHaveLength(1)
})

describe('denials', () => {
  const denial = (requestId: string) => ({
    requestId,
    namespaceId: 'root',
    path: 'a',
    operation: 'read' as const,
    policies: ['p'],
    entityId: '',
    needsSudo: false,
    wrapTtlMs: 0,
  })
  it('are the last ones, no more', () => {
    const denials = new Denials({ max: 2 })
    for (const id of ['1', '2', '3']) denials.note(denial(id))
    expect(denials.find('1')).toBeUndefined()
    expect([denials.find('2')?.requestId, denials.find('3')?.requestId]).toEqual(['2', '3'])
    denials.clear()
    expect(denials.find('3')).toBeUndefined()
  })
})

import { describe, expect, it } from 'vitest'
import { rootNamespace } from '../contracts/epochs.ts'
import { compileAcl } from './acl.ts'
import { parsePolicy } from './parse-policy.ts'
import type { AclRequest } from './shortfall.ts'

const acl = (...texts: string[]) => compileAcl(texts.map((text, i) => parsePolicy(`p${i}`, text)))
const allows = (
  texts: string | string[],
  operation: AclRequest['operation'],
  path: string,
  more: Partial<AclRequest> = {},
) => acl(...[texts].flat()).check({ path, operation, ...more }).allowed
const read = (path: string) => `path "${path}" { capabilities = ["read"] }`
const list = (path: string) => `path "${path}" { capabilities = ["list"] }`
const deny = (path: string) => `path "${path}" { capabilities = ["deny"] }`

describe('patterns', () => {
  it.each([
    ['secret/a', 'secret/a', true],
    ['secret/a', 'secret/a/b', false],
    ['/secret/a', 'secret/a', true],
    ['secret/f*', 'secret/foo/bar', true],
    ['secret/f*', 'secret/f', true],
    ['secret/f*', 'secret/', false],
    ['*', 'anything/at/all', true],
    ['secret/+/x', 'secret/a/x', true],
    ['secret/+/x', 'secret/a/b/x', false],
    ['secret/+/x', 'secret/x', false],
    ['secret/+/+', 'secret/a/b', true],
    ['secret/+/b*', 'secret/a/bcd/e', true],
    ['secret/+/b*', 'secret/a/cd', false],
    ['+/data/*', 'secret/data/', true],
    ['+', 'secret', true],
    ['+', 'secret/a', false],
    ['a+b/c', 'a+b/c', true],
    ['a+b/c', 'axb/c', false],
    ['a/+b', 'a/+b', true],
    ['a/+b', 'a/xb', false],
    ['a*b', 'a*b', true],
    ['a*b', 'axb', false],
  ])('%s on %s: %s', (pattern, path, allowed) => expect(allows(read(pattern), 'read', path)).toBe(allowed))
})

describe('only the most specific rule counts', () => {
  it.each([
    ['exact over glob', ['secret/a', 'secret/*'], 'secret/a'],
    ['the later first wildcard', ['secret/a/+', 'secret/+/b'], 'secret/a/b'],
    ['the later first wildcard, glob over plus', ['secret/a/*', 'secret/+/b'], 'secret/a/b'],
    ['no trailing star over one', ['secret/+/b', 'secret/+/b*'], 'secret/a/b'],
    ['plus over star at the same place', ['secret/+', 'secret/*'], 'secret/b'],
    ['fewer plus segments', ['secret/+/b/c', 'secret/+/+/c'], 'secret/a/b/c'],
    ['the longer', ['secret/+/bar/ba*', 'secret/+/bar/b*'], 'secret/a/bar/baz'],
    ['the longer prefix', ['secret/ab*', 'secret/a*'], 'secret/abc'],
  ])('%s', (_, [winner = '', loser = ''], path) => {
    expect(allows([read(winner), deny(loser)], 'read', path)).toBe(true)
    expect(allows([deny(winner), read(loser)], 'read', path)).toBe(false)
    expect(allows([list(winner), read(loser)], 'read', path), 'a looser rule does not leak through').toBe(false)
  })
})

describe('LIST and SCAN', () => {
  it('take a rule without the trailing slash, exact ones first', () => {
    expect(allows(list('secret/metadata/app'), 'list', 'secret/metadata/app/')).toBe(true)
    expect(allows(list('secret/metadata/+'), 'list', 'secret/metadata/app/')).toBe(true)
    expect(allows(list('secret/metadata/app/'), 'list', 'secret/metadata/app/')).toBe(true)
    expect(allows([list('secret/metadata/app'), deny('secret/metadata/*')], 'list', 'secret/metadata/app/')).toBe(true)
    expect(allows('path "a" { capabilities = ["scan"] }', 'scan', 'a/')).toBe(true)
    expect(allows(list('a'), 'scan', 'a/')).toBe(false)
  })

  it('other operations do not', () => {
    expect(allows(read('secret/app'), 'read', 'secret/app/')).toBe(false)
  })
})

describe('LIST of a folder', () => {
  it('takes the more specific of the rules with and without its slash, and lets no wide one past a deny', () => {
    expect(allows([list('*'), deny('secret/*')], 'list', 'secret/')).toBe(false)
    expect(allows([list('secret/+'), deny('secret/app/*')], 'list', 'secret/app/')).toBe(false)
    expect(allows([list('secret/app/*'), deny('secret/+')], 'list', 'secret/app/')).toBe(true)
  })

  it('takes the other where the more specific one says nothing about listing', () => {
    expect(allows([list('secret/+'), read('secret/app/*')], 'list', 'secret/app/')).toBe(true)
    expect(allows([read('secret/+'), read('secret/app/*')], 'list', 'secret/app/')).toBe(false)
  })

  it('SCAN looks only for the path as it is, unless the rule is exact', () => {
    const scan = (path: string) => `path "${path}" { capabilities = ["scan"] }`
    expect(allows(scan('secret/+'), 'scan', 'secret/app/')).toBe(false)
    expect(allows(scan('secret/app/*'), 'scan', 'secret/app/')).toBe(true)
  })
})

describe('a rule that expires', () => {
  const policy = parsePolicy(
    'p',
    'path "a" { policy = "read" expiration = "1970-01-01T00:00:05Z" }\npath "b" { policy = "read" }',
  )
  it('counts until then, in what was compiled before too', () => {
    let now = 0
    const compiled = compileAcl([policy], { now: () => now })
    expect(compiled.capabilities('a')).toEqual(['read', 'list'])
    now = 5000
    expect(compiled.capabilities('a')).toEqual(['deny'])
    expect(compiled.capabilities('b')).toEqual(['read', 'list'])
  })

  it('leaves what an identity has from templates', () => {
    let now = 0
    const mine = parsePolicy('m', 'path "own/{{identity.entity.name}}" { policy = "read" }')
    const compiled = compileAcl([policy, mine], { now: () => now, template: () => 'bob' })
    expect(compiled.capabilities('own/bob')).toEqual(['read', 'list'])
    now = 5000
    expect(compiled.capabilities('own/bob')).toEqual(['read', 'list'])
    expect(compiled.capabilities('a')).toEqual(['deny'])
  })
})

it('a template that becomes a path of another rule is merged with it', () => {
  const both = [
    parsePolicy('a', 'path "own/{{identity.entity.name}}" { capabilities = ["read"] }'),
    parsePolicy('b', list('own/bob')),
  ]
  const compiled = compileAcl(both, { template: () => 'bob' })
  expect(compiled.capabilities('own/bob')).toEqual(['read', 'list'])
  expect(compiled.check({ path: 'own/bob', operation: 'read' }).granting.map(({ name }) => name)).toEqual(['a'])
  expect(
    compileAcl([...both, parsePolicy('c', deny('own/{{identity.entity.name}}'))], {
      template: () => 'bob',
    }).capabilities('own/bob'),
  ).toEqual(['deny'])
})

describe('policies together', () => {
  it('join the capabilities of one pattern; one deny clears them all', () => {
    const both = acl(read('a'), list('a'))
    expect(both.capabilities('a')).toEqual(['read', 'list'])
    expect(both.check({ path: 'a', operation: 'read' }).granting).toEqual([
      { name: 'p0', namespace: rootNamespace, type: 'acl' },
    ])
    for (const order of [
      [read('a'), deny('a'), list('a')],
      [deny('a'), read('a')],
      [read('a'), deny('a')],
    ]) {
      expect(acl(...order).capabilities('a')).toEqual(['deny'])
    }
  })

  it('say of each operation who allows it, asked again, from a child namespace and after one has expired', () => {
    let now = 0
    const until = 'expiration = "1970-01-01T00:00:05Z"'
    const texts = [
      'path "c/a" { capabilities = ["read", "sudo"] }',
      `path "c/a" { capabilities = ["read", "update"] ${until} }`,
      'path "c/+" { capabilities = ["delete", "read"] }',
    ]
    const policies = texts.map((text, i) => parsePolicy(`p${i}`, text))
    const compiled = compileAcl(policies, { now: () => now })
    const granting = (path: string, operation: AclRequest['operation'], from = compiled) => {
      const { allowed, sudo, granting: by } = from.check({ path, operation })
      return [allowed, sudo, ...by.map(({ name }) => name)]
    }
    const child = compiled.below('c/')
    for (let again = 0; again < 2; again += 1) {
      expect(granting('c/a', 'read')).toEqual([true, true, 'p0', 'p1'])
      expect(granting('c/a', 'update')).toEqual([true, true, 'p1'])
      expect(granting('a', 'update', child)).toEqual([true, true, 'p1'])
      expect(granting('c/a', 'delete')).toEqual([false, true])
      expect(granting('c/b', 'read')).toEqual([true, false, 'p2'])
      expect(granting('c/b', 'delete')).toEqual([true, false, 'p2'])
      expect(granting('b', 'update', child)).toEqual([false, false])
    }
    now = 5000
    expect(granting('c/a', 'read')).toEqual([true, true, 'p0'])
    expect(granting('a', 'update', child)).toEqual([false, true])
  })

  it('in one policy too', () => expect(acl(`${read('a')}\n${list('a')}`).capabilities('a')).toEqual(['read', 'list']))

  it('understand the old words', () => {
    expect(acl('path "a" { policy = "write" }').capabilities('a')).toEqual([
      'read',
      'list',
      'update',
      'delete',
      'create',
    ])
    expect(acl('path "a" { policy = "sudo" }').capabilities('a')[0]).toBe('sudo')
    expect(acl('path "a" { policy = "deny" }').capabilities('a')).toEqual(['deny'])
  })

  it('root stands alone and may do everything', () => {
    const root = compileAcl([parsePolicy('root', '')])
    expect(root.check({ path: 'x', operation: 'delete' })).toMatchObject({ allowed: true, sudo: true, root: true })
    expect(root.capabilities('x')).toEqual(['root'])
    expect(root.reaches('x/')).toBe(true)
    expect(() => compileAcl([parsePolicy('root', ''), parsePolicy('a', '')])).toThrow(
      'other policies present along with root',
    )
  })

  it('tell sudo apart from the operation', () => {
    const verdict = acl('path "sys/seal" { capabilities = ["sudo"] }').check({ path: 'sys/seal', operation: 'update' })
    expect(verdict).toEqual({ allowed: false, sudo: true, root: false, granting: [] })
  })
})

describe('parameters', () => {
  const rule = (limits: string) =>
    `path "a" { capabilities = ["create", "update", "patch", "read", "delete"] ${limits} }`
  const passes = (
    limits: string | string[],
    input: AclRequest['input'],
    operation: AclRequest['operation'] = 'update',
  ) => allows([limits].flat().map(rule), operation, 'a', { input })

  it.each([
    ['allowed_parameters = { "x" = [] }', { x: 'anything' }, true],
    ['allowed_parameters = { "x" = [] }', { X: 'anything' }, true],
    ['allowed_parameters = { "x" = [] }', { y: 1 }, false],
    ['allowed_parameters = { "x" = ["one", "tw*"] }', { x: 'one' }, true],
    ['allowed_parameters = { "x" = ["one", "tw*"] }', { x: 'two' }, true],
    ['allowed_parameters = { "x" = ["one", "tw*"] }', { x: 'three' }, false],
    ['allowed_parameters = { "x" = ["*mid*"] }', { x: 'amidst' }, true],
    ['allowed_parameters = { "x" = ["*end"] }', { x: 'the end' }, true],
    ['allowed_parameters = { "x" = ["*"] }', { x: 'y' }, false],
    ['allowed_parameters = { "x" = ["a", "b*"] }', { x: ['a', 'bc'] }, true],
    ['allowed_parameters = { "x" = ["a", "b*"] }', { x: 'a, bc' }, true],
    ['allowed_parameters = { "x" = ["a", "b*"] }', { x: ['a', 'c'] }, false],
    ['allowed_parameters = { "x" = ["a", "b*"] }', { x: 'a,c' }, false],
    ['allowed_parameters = { "x" = ["a"] }', { x: [] }, false],
    ['allowed_parameters = { "x" = ["a"] }', { x: '' }, false],
    ['allowed_parameters = { "x" = [["a", "c"]] }', { x: ['a', 'c'] }, true],
    ['denied_parameters = { "x" = ["bad"] }', { x: ['good', 'bad'] }, false],
    ['denied_parameters = { "x" = ["bad"] }', { x: 'good, bad' }, false],
    ['denied_parameters = { "x" = ["bad"] }', { x: ['good'] }, true],
    ['denied_parameters = { "policies" = ["root"] }', { policies: ['Root'] }, false],
    ['denied_parameters = { "token_policies" = ["root"] }', { Token_Policies: 'a,ROOT' }, false],
    ['denied_parameters = { "x" = ["root"] }', { x: 'ROOT' }, true],
    ['allowed_parameters = { "x" = [1, true] }', { x: 1 }, true],
    ['allowed_parameters = { "x" = [1, true] }', { x: '1' }, false],
    ['allowed_parameters = { "x" = ["a"] "*" = [] }', { x: 'b' }, false],
    ['allowed_parameters = { "x" = ["a"] "*" = [] }', { y: 'b', x: 'a' }, true],
    ['allowed_parameters = { "*" = [] }', { y: 'b' }, true],
    ['allowed_parameters = { "x" = ["a"] }', {}, true],
    ['denied_parameters = { "x" = [] }', { x: 1 }, false],
    ['denied_parameters = { "x" = ["bad*"] }', { x: 'badly' }, false],
    ['denied_parameters = { "x" = ["bad*"] }', { X: 'badly' }, false],
    ['denied_parameters = { "x" = ["bad*"] }', { x: 'good' }, true],
    ['denied_parameters = { "*" = [] }', { y: 1 }, false],
    ['denied_parameters = { "*" = [] }', {}, true],
    ['required_parameters = ["X"]', { x: 1 }, true],
    ['required_parameters = ["x"]', { y: 1 }, false],
    ['required_parameters = ["x"]', {}, false],
    ['allowed_parameters = { "x" = [] } denied_parameters = { "x" = ["1"] }', { x: '1' }, false],
  ])('%s with %j: %s', (limits, input, allowed) => expect(passes(limits, input)).toBe(allowed))

  it('are looked at for create, read, update and patch', () => {
    const limits = 'required_parameters = ["x"]'
    expect(passes(limits, {}, 'create')).toBe(false)
    expect(passes(limits, {}, 'patch')).toBe(false)
    expect(passes(limits, {}, 'read')).toBe(false)
    expect(passes(limits, { x: '1' }, 'read')).toBe(true)
    expect(passes(limits, {}, 'delete')).toBe(true)
  })

  it('of several policies are merged: any value swallows lists, and no limit at all is the widest', () => {
    const lists = ['allowed_parameters = { "x" = ["a"] }', 'allowed_parameters = { "x" = ["b"] }']
    expect(passes(lists, { x: 'a' }) && passes(lists, { x: 'b' })).toBe(true)
    expect(passes(lists, { x: 'c' })).toBe(false)
    expect(passes([...lists, 'allowed_parameters = { "x" = [] }'], { x: 'c' })).toBe(true)
    expect(passes([...lists, ''], { y: 'c' })).toBe(true)
    expect(passes(['', ...lists], { y: 'c' })).toBe(true)
    expect(passes(['denied_parameters = { "x" = ["a"] }', ''], { x: 'a' })).toBe(false)
    expect(passes(['required_parameters = ["x"]', 'required_parameters = ["y"]'], { x: 1 })).toBe(false)
  })
})

it('limits the lifetime of wrapping, and refuses requests without it', () => {
  const rule = (limits: string) => `path "a" { capabilities = ["read"] ${limits} }`
  const passes = (limits: string | string[], wrapTtlMs?: number) =>
    allows([limits].flat().map(rule), 'read', 'a', wrapTtlMs === undefined ? {} : { wrapTtlMs })
  const both = 'min_wrapping_ttl = "30s" max_wrapping_ttl = 90'
  expect(passes(both)).toBe(false)
  expect(passes(both, 29_999)).toBe(false)
  expect(passes(both, 30_000)).toBe(true)
  expect(passes(both, 90_000)).toBe(true)
  expect(passes(both, 90_001)).toBe(false)
  expect(passes('max_wrapping_ttl = "1m"')).toBe(false)
  expect(passes(['max_wrapping_ttl = "1m"', 'max_wrapping_ttl = "2m"'], 90_000)).toBe(false)
  expect(passes(['min_wrapping_ttl = "3m"', 'max_wrapping_ttl = "1m"'], 120_000)).toBe(false)
})

describe('templates', () => {
  const policy = parsePolicy(
    'p',
    read('secret/{{identity.entity.id}}/*') + read('t/{{ identity.entity.metadata.team }}'),
  )
  const withValue = (value: string | undefined) => compileAcl([policy], { template: () => value })

  it('are filled in', () => {
    expect(withValue('e1').check({ path: 'secret/e1/x', operation: 'read' }).allowed).toBe(true)
    expect(withValue('e1').check({ path: 't/e1', operation: 'read' }).allowed).toBe(true)
  })

  it.each([undefined, '', '*', '+', 'a/b', 'x*', '{{identity.entity.id}}'])('drop the rule for %j', (value) => {
    const compiled = withValue(value)
    expect(compiled.check({ path: `secret/${value}/x`, operation: 'read' }).allowed).toBe(false)
    expect(compiled.check({ path: 'secret/a/b/x', operation: 'read' }).allowed).toBe(false)
    expect(compiled.reaches('')).toBe(false)
  })
})

describe('reaches', () => {
  it.each([
    ['secret/data/app', 'secret/', true],
    ['secret/*', 'secret/', true],
    ['sec*', 'secret/', true],
    ['*', 'secret/', true],
    ['+/data/x', 'secret/', true],
    ['+/+/x*', 'secret/', true],
    ['secret/+', 'secret/', true],
    ['other/*', 'secret/', false],
    ['secretive/*', 'secret/', false],
    ['+', 'secret/', true],
    ['auth/+/login', 'auth/kubernetes/', true],
    ['+/token/x', 'auth/kubernetes/', false],
    ['auth/kub*', 'auth/kubernetes/', true],
    ['+/kub*', 'auth/kubernetes/', true],
    ['+/x*', 'auth/kubernetes/', false],
  ])('%s and %s: %s', (pattern, prefix, expected) => expect(acl(read(pattern)).reaches(prefix)).toBe(expected))

  it('not through a wide rule that a closer deny overrules', () => {
    expect(acl(read('*'), deny('secret/*')).reaches('secret/')).toBe(false)
    expect(acl(deny('*'), read('secret/a')).reaches('secret/')).toBe(true)
    expect(acl(deny('secret/a')).reaches('secret/')).toBe(false)
  })
})

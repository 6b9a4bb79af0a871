import { describe, expect, it } from 'vitest'
import { parseLabelSelector } from './label-selector-text.ts'
import { matchesLabels, parseFieldSelector, readLabelSelector } from './selectors.ts'

describe('label selectors', () => {
  const labels = { app: 'web', tier: 'front' }
  it.each([
    ['', true],
    ['app=web', true],
    ['app==web,tier=front', true],
    ['app!=web', false],
    ['none!=x', true],
    ['app in (web, api)', true],
    ['app notin (web,api)', false],
    ['none notin (x)', true],
    ['app', true],
    ['!app', false],
    ['!none, tier', true],
    ['app=', false],
  ])('%j matches: %s', (text, expected) => {
    expect(matchesLabels(parseLabelSelector(text), labels)).toBe(expected)
  })

  it.each([
    ['n>2', { n: '3' }, true],
    ['n>2', { n: '2' }, false],
    ['n<2', { n: '-1' }, true],
    ['n<2', { n: 'x' }, false],
    ['n<2', {}, false],
    ['a in (,b)', { a: '' }, true],
    ['in in (in)', { in: 'in' }, true],
  ])('%j matches %j: %s', (text, of, expected) => {
    expect(matchesLabels(parseLabelSelector(text), of)).toBe(expected)
  })

  it.each([
    ['a in b', "unable to parse requirement: found 'b' expected: '('"],
    ['a=(b', "unable to parse requirement: found '(', expected: identifier"],
    ['=x', "found '=', expected: !, identifier, or 'end of string'"],
    ['a in (x', "unable to parse requirement: found '', expected: ',' or ')'"],
    ['a,', "found '', expected: identifier after ','"],
    ['a=b c', "found 'c', expected: ',' or 'end of string'"],
    [
      'a>b',
      "unable to parse requirement: values[0]: Invalid value: \"b\": for 'Gt', 'Lt' operators, the value must be an integer",
    ],
  ])('%j is refused', (text, words) => {
    expect(() => parseLabelSelector(text)).toThrow(words)
  })

  it('of an object: absent matches nothing, empty everything, an unknown operator nothing', () => {
    expect(readLabelSelector(undefined)).toBeUndefined()
    expect(readLabelSelector({ matchExpressions: [{ key: 'a', operator: 'Near' }] })).toBeUndefined()
    expect(matchesLabels(readLabelSelector({}) ?? [], labels)).toBe(true)
    const both = {
      matchLabels: { app: 'web' },
      matchExpressions: [{ key: 'tier', operator: 'NotIn', values: ['back'] }],
    }
    expect(matchesLabels(readLabelSelector(both) ?? [], labels)).toBe(true)
  })

  it('do not find what every object inherits', () => {
    expect(matchesLabels(parseLabelSelector('constructor'), labels)).toBe(false)
  })
})

describe('field selectors', () => {
  it('are pairs, with commas and backslashes escaped', () => {
    expect(parseFieldSelector('status.phase!=Failed,metadata.name=a')).toEqual([
      { field: 'metadata.name', value: 'a', equal: true },
      { field: 'status.phase', value: 'Failed', equal: false },
    ])
    expect(parseFieldSelector('a==b\\,c\\\\')).toEqual([{ field: 'a', value: 'b,c\\', equal: true }])
    expect(() => parseFieldSelector('nonsense')).toThrow("invalid selector: 'nonsense'; can't understand 'nonsense'")
  })

  it.each([
    ['a=b\\c', 'invalid escape sequence: \\c'],
    ['a=b\\', 'invalid escape sequence: \\'],
    ['a=b=c', 'unescaped character in value: 61'],
    ['a!=b\\,c=d', 'unescaped character in value: 61'],
  ])('%j is refused', (text, words) => {
    expect(() => parseFieldSelector(text)).toThrow(`invalid field selector: ${words}`)
  })
})

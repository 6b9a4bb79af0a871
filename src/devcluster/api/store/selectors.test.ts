import { describe, expect, it } from 'vitest'
import { matchesLabels, parseFieldSelector, parseLabelSelector, readLabelSelector } from './selectors.ts'

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

  it.each(['a in b', 'a=(b', '=x', 'a in (x'])('%j is refused', (text) => {
    expect(() => parseLabelSelector(text)).toThrow(/unable to parse requirement/)
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
  it('name only fields that there are', () => {
    expect(parseFieldSelector('metadata.name=a,status.phase!=Failed', ['metadata.name', 'status.phase'])).toEqual([
      { field: 'metadata.name', value: 'a', equal: true },
      { field: 'status.phase', value: 'Failed', equal: false },
    ])
    expect(() => parseFieldSelector('spec.x=1', ['metadata.name'])).toThrow('field label not supported: spec.x')
    expect(() => parseFieldSelector('nonsense', ['metadata.name'])).toThrow(/invalid selector/)
  })
})

import { describe, expect, it } from 'vitest'
import { atOnce } from '../../../lib/turns.ts'
import { formSteps } from './form.ts'

const read = (text: string | Buffer, limits = {}) => atOnce(formSteps(Buffer.from(text), limits))

/** Read in one piece. */
function plain(text: string): Record<string, string | string[]> {
  const out: Record<string, string | string[]> = Object.create(null)
  const params = new URLSearchParams(text)
  for (const name of new Set(params.keys())) {
    const [first = '', ...more] = params.getAll(name)
    out[name] = more.length > 0 ? [first, ...more] : first
  }
  return out
}

describe('a form', () => {
  it.each([
    ['a=1&b=2&a=3', { a: ['1', '3'], b: '2' }],
    ['__proto__=x&a', { ['__proto__']: 'x', a: '' }],
    ['a=%C3%A9+%26%3d&&=', { a: 'é &=', '': '' }],
  ])('%s is read', (text, expected) => {
    expect(Object.entries(read(text))).toEqual(Object.entries(expected))
  })

  it('of many slices is what it is when it is read at once, whatever stands at their borders', () => {
    for (const pair of ['a=1', '?=?', 'é%C3=%', '=', 'k\ufeff=\ufeff']) {
      for (const first of ['', 'x', 'xx', 'xxx']) {
        const text = `${first}&${`${pair}&`.repeat(2000)}${'long='.repeat(2000)}`
        expect(read(text)).toEqual(plain(text))
      }
    }
  })

  it('stops after each slice', () => {
    const steps = formSteps(Buffer.from('a&'.repeat(100_000)))
    let stops = 0
    while (!steps.next().done) stops += 1
    expect(stops).toBeGreaterThanOrEqual(45)
  })

  it.each<[string, string, object, string]>([
    ['strings', 'a&'.repeat(300_000), {}, 'more than 500000 strings'],
    ['names', Array.from({ length: 10_001 }, (_, i) => i).join('&'), {}, 'more than 10000 names'],
    ['characters of a value', `a=${'x'.repeat(1024 * 1024 + 1)}`, {}, 'a string longer than 1048576 characters'],
    [
      'bytes of a value, before it is read',
      `a=${'%'.repeat(20_000)}`,
      { json: { maxStringLength: 10 } },
      'longer than 10',
    ],
    ['strings than the listener allows', 'a&b', { json: { maxStrings: 3 } }, 'more than 3 strings'],
    ['names than the listener allows', 'a&b', { maxMembers: 1 }, 'more than 1 names'],
  ])('of too many %s is refused', (_, text, limits, words) => {
    expect(() => read(text, limits)).toThrow(words)
    expect(() => read(text, limits)).toThrow(expect.objectContaining({ status: 400 }))
  })
})

import { describe, expect, it } from 'vitest'
import { type Operation, operation } from '../../contracts/request.ts'
import type { Exchange } from '../exchange.ts'
import { judge } from './judge.ts'

const lists = (input: Operation['input']) => operation({ input, handle: async () => ({ kind: 'none' }) })
const limit = { kind: 'int', description: 'At most', default: 0 } as const

/** What the operation is given for a list whose page policy limits. */
function inputOf(operation: Operation, page: number, given: Record<string, string | number>) {
  const call = { input: given, operation: 'list' }
  const x = {
    incoming: { verb: 'list' },
    path: 'a/',
    given,
    wrapTtlMs: 0,
    token: {},
    operation,
    call,
    acl: { check: () => ({ allowed: true, list: { limit: page, after: '' } }) },
  }
  void judge(x as unknown as Exchange)
  return call.input
}

describe('a list that policy limits to a page', () => {
  it('is asked for no more than the page', () => {
    expect(inputOf(lists({ limit }), 5, { limit: 0, after: 'b' })).toEqual({ limit: 5, after: 'b' })
  })

  it('is as asked for where policy does not limit it, or the operation has no such number', () => {
    expect(inputOf(lists({ limit }), 0, { limit: 7 })).toEqual({ limit: 7 })
    expect(inputOf(lists({}), 5, {})).toEqual({})
    expect(inputOf(lists('free'), 5, { limit: '9' })).toEqual({ limit: '9' })
    expect(
      inputOf(lists({ limit: { kind: 'lowerString', description: 'x', default: '' } }), 5, { limit: 'none' }),
    ).toEqual({
      limit: 'none',
    })
  })
})

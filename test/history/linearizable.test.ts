import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { findUnexplained } from './linearizable.ts'
import type { Asked, Held, Operation, Told } from './operation.ts'

const op = (begin: number, end: number, asked: Asked, told: Told, key = 'k'): Operation => ({
  key,
  asked,
  told,
  begin,
  end,
})
const write = (begin: number, end: number, value: string, version: number, cas?: number) =>
  op(begin, end, { kind: 'write', value, ...(cas === undefined ? {} : { cas }) }, { kind: 'wrote', version })
const found = (begin: number, end: number, version: number, value: string) =>
  op(begin, end, { kind: 'read' }, { kind: 'found', held: { version, value } })
const nothing = (begin: number, end: number) => op(begin, end, { kind: 'read' }, { kind: 'found', held: undefined })
const deleted = (begin: number, end: number) => op(begin, end, { kind: 'delete' }, { kind: 'deleted' })
const unknown = (begin: number, asked: Asked) => op(begin, begin, asked, { kind: 'unknown' })
const refused = (begin: number, end: number, cas: number) =>
  op(begin, end, { kind: 'write', value: 'r', cas }, { kind: 'refused' })

describe('a history that something could have made', () => {
  it.each<[string, Operation[]]>([
    ['nothing', []],
    ['one after the other', [nothing(0, 1), write(2, 3, 'a', 1, 0), found(4, 5, 1, 'a'), deleted(6, 7), nothing(8, 9)]],
    [
      'two at once, seen in either order',
      [write(0, 9, 'a', 2), write(0, 9, 'b', 1), found(3, 4, 1, 'b'), found(10, 11, 2, 'a')],
    ],
    ['an unknown write that happened', [unknown(0, { kind: 'write', value: 'a', cas: 0 }), found(5, 6, 1, 'a')]],
    ['an unknown write that did not', [unknown(0, { kind: 'write', value: 'a', cas: 0 }), nothing(5, 6)]],
    [
      'an unknown write that happened late',
      [unknown(0, { kind: 'write', value: 'a' }), nothing(5, 6), found(7, 8, 1, 'a')],
    ],
    ['a refusal while another writes', [write(0, 9, 'a', 1, 0), refused(1, 2, 0), found(3, 4, 1, 'a')]],
    ['versions that begin anew after a delete', [write(0, 1, 'a', 1), deleted(2, 3), write(4, 5, 'b', 1, 0)]],
  ])('is explained: %s', (_, history) => {
    expect(findUnexplained(history)).toBeUndefined()
  })

  it('is explained whatever the order in which effects of overlapping operations came', () => {
    const step = fc.record({
      what: fc.constantFrom('read', 'write', 'cas', 'stale', 'delete'),
      early: fc.integer({ min: 0, max: 30 }),
      late: fc.integer({ min: 0, max: 30 }),
      hidden: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        let held: Held | undefined
        const history = steps.map(({ what, early, late, hidden }, i): Operation => {
          const moment = i * 10
          const version = held?.version ?? 0
          const at = (asked: Asked, told: Told) =>
            op(moment - early, moment + late, asked, hidden && i % 5 === 0 ? { kind: 'unknown' } : told)
          if (what === 'read') return at({ kind: 'read' }, { kind: 'found', held })
          if (what === 'stale') return at({ kind: 'write', value: `v${i}`, cas: version + 1 }, { kind: 'refused' })
          if (what === 'delete') {
            held = undefined
            return at({ kind: 'delete' }, { kind: 'deleted' })
          }
          held = { version: version + 1, value: `v${i}` }
          const asked = { kind: 'write' as const, value: `v${i}`, ...(what === 'cas' ? { cas: version } : {}) }
          return at(asked, { kind: 'wrote', version: held.version })
        })
        expect(findUnexplained(history)).toBeUndefined()
      }),
    )
  })
})

describe('a history that nothing sound could have made', () => {
  it.each<[string, Operation[]]>([
    ['a lost acknowledged write', [write(0, 1, 'a', 1), write(2, 3, 'b', 2), found(4, 5, 1, 'a')]],
    ['a lost creation', [write(0, 1, 'a', 1, 0), nothing(2, 3)]],
    ['a lost update under cas', [write(0, 1, 'a', 1), write(2, 5, 'b', 2, 1), write(2, 5, 'c', 2, 1)]],
    ['two creations of one key', [write(0, 5, 'a', 1, 0), write(0, 5, 'b', 1, 0)]],
    ['a value under the version of another', [write(0, 1, 'a', 1), write(2, 3, 'b', 2), found(4, 5, 2, 'a')]],
    ['a value that nobody wrote', [write(0, 1, 'a', 1), found(2, 3, 1, 'z')]],
    ['a read that goes back', [write(0, 20, 'a', 1), found(1, 2, 1, 'a'), nothing(3, 4)]],
    ['a read before the write', [found(0, 1, 1, 'a'), write(2, 3, 'a', 1)]],
    ['a deleted value that comes back', [write(0, 1, 'a', 1), deleted(2, 3), found(4, 5, 1, 'a')]],
    ['a refusal of the right version', [write(0, 1, 'a', 1), refused(2, 3, 1)]],
    [
      'an unknown write that came and went',
      [unknown(0, { kind: 'write', value: 'a', cas: 0 }), found(1, 2, 1, 'a'), nothing(3, 4)],
    ],
    [
      'an unknown write that happened twice',
      [unknown(0, { kind: 'write', value: 'a', cas: 0 }), found(1, 2, 1, 'a'), deleted(3, 4), found(5, 6, 1, 'a')],
    ],
    [
      'one bad key among good ones',
      [op(0, 1, { kind: 'read' }, { kind: 'found', held: undefined }, 'other'), write(0, 1, 'a', 1), nothing(2, 3)],
    ],
  ])('is not explained: %s', (_, history) => {
    const unexplained = findUnexplained(history)
    expect(unexplained?.key).toBe('k')
    expect(unexplained?.story.join('\n')).toContain('none of these can be next')
  })
})

describe('a history with many requests that were cut', () => {
  const cut = Array.from({ length: 60 }, (_, i) =>
    unknown(
      i / 100,
      i % 3 === 0 ? { kind: 'delete' } : { kind: 'write', value: `u${i}`, ...(i % 3 === 1 ? { cas: i % 4 } : {}) },
    ),
  )

  it('is explained by some of them', () => {
    expect(findUnexplained([...cut, found(2, 3, 2, 'u2'), found(4, 5, 1, 'u5'), nothing(6, 7)])).toBeUndefined()
  })

  it('is not explained when none of them wrote what was read', () => {
    const history = [...cut, found(2, 3, 2, 'u2'), found(4, 5, 1, 'z'), nothing(6, 7)]
    expect(findUnexplained(history)?.story.join('\n')).toContain('"z"')
  })
})

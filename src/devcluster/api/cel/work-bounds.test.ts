import { describe, expect, it } from 'vitest'
import { bytesType, type CelType, listType, stringType } from './cel-type.ts'
import { BudgetError } from './evaluator.ts'
import { CompilationError, compileExpression } from './expression.ts'
import { CelList, type Value } from './value.ts'

const types = new Map<string, CelType>([
  ['s', stringType],
  ['b', bytesType],
  ['l', listType(stringType)],
])
const values = new Map<string, Value>([
  ['s', 'a'.repeat(200_000)],
  ['b', Buffer.alloc(1000)],
  ['l', new CelList(Array.from({ length: 20_000 }, (_, at) => `x${at}`))],
])
/** What the API server gives one rule. */
const ruleBudget = 1_000_000
const evaluate = (text: string, budget = ruleBudget) =>
  compileExpression(text, types).evaluate(values, { remaining: budget })
const doubled = (times: number) => '.map(x, [x, x])'.repeat(times)

describe('An expression that is meant to harm', () => {
  it.each([
    ['bytes that double', `[b]${'.map(x, x + x)'.repeat(40)}.size() == 1`],
    ['lists that double', `[[1]]${'.map(x, x + x)'.repeat(40)}.size() == 1`],
    ['a comparison of values that hold themselves', `['a']${doubled(50)} == ['a']${doubled(50)}`],
    ['text of a value that holds itself', `'%s'.format([['a']${doubled(50)}]) == ''`],
    ['every item in every other', 'sets.equivalent(l, l)'],
    ['loops in loops', 'l.all(a, l.all(b, true))'],
    ['text in place of every letter', "s.replace('', s) == ''"],
    ['text between all items', "l.join(s) == ''"],
    ['a long part of a long text', "s.indexOf(s.substring(0, 100000) + 'b') == 1"],
    ['a number of endless digits', "isQuantity(s.replace('a', '1'))"],
    ['clocks of many time zones', "l.all(x, timestamp('2020-01-01T00:00:00Z').getHours('Asia/Tokyo') > 0)"],
    ['patterns for many items', "l.all(x, x.matches('^x[0-9]+$') && x.matches('^x[0-9]+$') && x.matches('^x.*$'))"],
  ])('is stopped: %s', (_, text) => {
    expect(() => evaluate(text, ruleBudget / 10)).toThrow(BudgetError)
  })

  it.each([
    ['operators without end', `${'!'.repeat(60_000)}true`],
    ['sums without end', `${'1+'.repeat(9000)}1 == 1`],
    ['a type that doubles', `[1]${'.map(x, {x: x})'.repeat(60)}.size() == 1`],
  ])('is not compiled: %s', (_, text) => {
    expect(() => compileExpression(text, types)).toThrow(CompilationError)
  })

  it('is told at most a hundred faults', () => {
    expect(() => compileExpression(`[${'zz,'.repeat(1500)}zz] == []`, types)).toThrow(
      /1401 more errors were truncated$/,
    )
  })
})

describe('An honest expression', () => {
  it.each([
    ['l.all(x, x != "")'],
    ["s.matches('^a+$')"],
    ['l.exists(x, x == "x19999")'],
    ['l.map(x, x + "y").size() == l.size()'],
    ['[1, 2, 3].all(i, l[i] == "x" + string(i))'],
    [`${'true && '.repeat(200)}true`],
  ])('has enough: %s', (text) => {
    expect(evaluate(text)).toBe(true)
  })
})

/** What a call may cost at the most, told before it is made: in steps, one for about ten characters or items looked at. */
import { CelList, CelMap, Optional, type Value } from './value.ts'

const perStep = 10

/** Those that look at no more of their arguments than they give. */
const constant = ['_[_]', '_[?_]', 'type', 'dyn', 'of', 'first', 'last', 'hasValue', 'value']
/** Those that look at all of one text for every part of another. */
const searches = ['indexOf', 'lastIndexOf', 'matches', 'find', 'findAll']
const perSearchStep = 100
/** A pattern is made ready anew each time. */
const patterns = ['matches', 'find', 'findAll']
const patternSteps = 20
/** Those that look for every item of one list in the other; also named so with one list and a text. */
const setFunctions = ['contains', 'intersects', 'equivalent']
/** Those that look into values, however deep. */
const deep = ['_==_', '_!=_', '@in', 'format', 'indexOf', 'lastIndexOf', ...setFunctions]
/** Making a clock for a time zone takes long; digits without end make numbers without end. */
const clocks = /^get(FullYear|Month|DayOf|Date|Hours|Minutes|Seconds|Milliseconds)/
const clockSteps = 100
const numbers = ['quantity', 'isQuantity', 'semver', 'isSemver', 'duration']

/** `most`: what is more need not be told exactly. */
export function callCost(name: string, args: readonly Value[], most: number): number {
  if (constant.includes(name)) return 0
  const [first = null, second] = args
  if (name === '@in' && second instanceof CelMap) return 0
  const limit = (most + 1) * perStep
  const sizes: number[] = []
  let total = 0
  for (const arg of args) {
    const size = deep.includes(name) ? deepSize(arg, limit - total) : shallowSize(arg)
    sizes.push(size)
    total += size
    if (total > limit) return total / perStep
  }
  const [a = 0, b = 0, c = 0] = sizes
  const plain = total / perStep + (patterns.includes(name) ? patternSteps + b : 0)
  if (searches.includes(name)) return plain + (first instanceof CelList ? 0 : (a * b) / perSearchStep)
  if (looksUpAll(name, first) || name === 'join') return plain + (a * b) / perStep
  if (name === 'replace') return plain + ((a / Math.max(b, 1)) * c) / perStep
  if (numbers.includes(name)) return plain + (a / perSearchStep) ** 2
  return plain + (clocks.test(name) && second !== undefined ? clockSteps : 0)
}

function looksUpAll(name: string, first: Value): boolean {
  if (!(first instanceof CelList)) return false
  return setFunctions.includes(name) || (['_==_', '_!=_', '_+_'].includes(name) && first.identity !== 'atomic')
}

function shallowSize(value: Value): number {
  if (typeof value === 'string' || value instanceof Uint8Array) return value.length
  if (value instanceof CelList) return value.items.length
  return value instanceof CelMap ? value.size : 0
}

/** With all that is in it; counting ends soon above `limit`, for a value may hold itself a billion times. */
function deepSize(value: Value, limit: number): number {
  if (value instanceof Optional) return value.value === undefined ? 0 : deepSize(value.value, limit)
  let size = shallowSize(value)
  const parts = value instanceof CelList ? value.items : value instanceof CelMap ? valuesOf(value) : []
  for (const part of parts) {
    if (size > limit) break
    size += deepSize(part, limit - size)
  }
  return size
}

function* valuesOf(map: CelMap): Generator<Value> {
  for (const [, value] of map.entries.values()) yield value
}

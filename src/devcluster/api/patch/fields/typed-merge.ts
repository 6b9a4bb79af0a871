/** Merging a configuration into an object field by field, and taking fields out of an object. */
import { isAtomic, type ListShape, memberShape, type Shape } from '../../shapes/shape.ts'
import { isTree, type Tree } from '../../tree.ts'
import { fieldStep, itemStep, printStep, ShapeMismatch, type Step } from './field-path.ts'
import { below, type FieldSet, isEmpty } from './field-set.ts'
import { formOf, listOr, ownedList, treeOr } from './typed-fields.ts'

/** What `wanted` says, and of the rest what `live` says. undefined: nothing at all. */
export function mergeTyped(live: unknown, wanted: unknown, shape: Shape): unknown {
  const form = formOf(shape, wanted === undefined ? live : wanted)
  const newest = wanted === undefined ? live : wanted
  const list = ownedList(shape)
  if (form === 'scalar') return newest
  if (form === 'list') {
    const [old, now] = [listOr(live), listOr(wanted)]
    if (!list || old.length + now.length === 0) return newest
    const out = mergeItems(old, now, list)
    return out.length > 0 ? out : undefined
  }
  const [old, now] = [treeOr(live), treeOr(wanted)]
  const members = new Set([...Object.keys(old), ...Object.keys(now)])
  if (isAtomic(shape) || members.size === 0) return newest
  const out: Tree = {}
  for (const member of members) {
    const merged = mergeTyped(old[member], now[member], memberShape(shape, member))
    if (merged !== undefined) out[member] = merged
  }
  return Object.keys(out).length > 0 ? out : undefined
}

/**
 * The order of the configuration for what it names; what only the live list has keeps its place before the next item that
 * both have. An item that is there twice is not merged but replaced.
 */
function mergeItems(live: readonly unknown[], wanted: readonly unknown[], shape: ListShape): unknown[] {
  const now = stepsOf(wanted, shape)
  if (new Set(now).size < now.length) throw new ShapeMismatch(`duplicate entries for key ${printStep(twice(now))}`)
  const old = stepsOf(live, shape)
  const shared = now.filter((step) => old.includes(step))
  const merged = new Set<Step>()
  const out: unknown[] = []
  let left = 0
  for (const [right, to] of now.entries()) {
    left = keepBefore(to, left)
    const times = old.filter((step) => step === to).length
    const before = times === 0 ? undefined : times > 1 ? null : live[old.indexOf(to)]
    merged.add(to)
    push(out, mergeTyped(before, wanted[right], shape.of))
    if (old[left] === to) left += 1
    if (shared[0] === to) shared.shift()
  }
  for (; left < old.length; left++) keep(left)
  return out

  function keep(index: number): void {
    const step = old[index]
    if (step !== undefined && !now.includes(step)) push(out, mergeTyped(live[index], undefined, shape.of))
  }

  /** Goes over live items up to where `to` is in turn: those of the live list alone stay, those that come elsewhere do not. */
  function keepBefore(to: Step, from: number): number {
    let index = from
    for (; index < old.length; index++) {
      const step = old[index] ?? ''
      if (step === to) return index
      const isOutOfTurn = now.includes(step) && shared[0] !== undefined && shared[0] !== step
      if (isOutOfTurn) continue
      if (!now.includes(step)) keep(index)
      else return merged.has(step) ? index + 1 : index
    }
    return index
  }
}

function push(out: unknown[], item: unknown): void {
  if (item !== undefined) out.push(item)
}

const stepsOf = (items: readonly unknown[], shape: ListShape): Step[] => items.map((item) => itemStep(item, shape))
const twice = (steps: readonly Step[]): Step => steps.find((step, index) => steps.indexOf(step) !== index) ?? ''

/** `value` without the fields in `gone`. What nothing is left of becomes null. */
export function withoutFields(value: unknown, gone: FieldSet, shape: Shape): unknown {
  const form = formOf(shape, value)
  if (form === 'scalar') return value
  const list = ownedList(shape)
  if (form === 'list') return list && Array.isArray(value) ? withoutItems(value, gone, list) : null
  if (!isTree(value) || isAtomic(shape)) return null
  const out: Tree = {}
  for (const [member, content] of Object.entries(value)) {
    const step = fieldStep(member)
    if (gone.members.has(step)) continue
    const held = below(gone, step)
    out[member] = isEmpty(held) ? content : withoutFields(content, held, memberShape(shape, member))
  }
  return Object.keys(out).length > 0 ? out : null
}

function withoutItems(items: readonly unknown[], gone: FieldSet, shape: ListShape): unknown {
  const out: unknown[] = []
  for (const item of items) {
    const step = itemStep(item, shape)
    if (gone.members.has(step)) continue
    const held = below(gone, step)
    out.push(isEmpty(held) ? item : withoutFields(item, held, shape.of))
  }
  return out.length > 0 ? out : null
}

/**
 * Strategic merge patch: a merge patch that knows by what key the items of a list are the same
 * (k8s.io/apimachinery/pkg/util/strategicpatch). Directives: $patch, $retainKeys, $setElementOrder/x,
 * $deleteFromPrimitiveList/x.
 */
import { type ListShape, memberShape, type Shape } from '../shapes/shape.ts'
import { equal, isTree, type Tree } from '../tree.ts'
import { goText } from './fields/typed-validation.ts'
import { itemsInOrder } from './item-order.ts'

const orderPrefix = '$setElementOrder/'
const deletePrefix = '$deleteFromPrimitiveList/'

/** A patch that is none. `form`: its directives are wrong, which is the client's fault; the API server takes the rest for its own. */
export class StrategicFailure extends Error {
  override name = 'StrategicFailure'
  readonly form: boolean

  constructor(message: string, form = false) {
    super(message)
    this.form = form
  }
}

/** The patched object; neither argument is changed. */
export function applyStrategicMerge(target: Tree, patch: Tree, shape: Shape): Tree {
  return mergeTree(structuredClone(target), structuredClone(patch), shape)
}

/** Changes both. */
function mergeTree(target: Tree, patch: Tree, shape: Shape): Tree {
  if (Object.hasOwn(patch, '$patch')) return replaced(patch)
  retainKeys(target, patch)
  for (const member of Object.keys(patch))
    if (member.startsWith(orderPrefix)) mergeOrdered(target, patch, member, shape)
  for (const [name, value] of Object.entries(patch)) {
    const isDeletion = name.startsWith(deletePrefix)
    mergeMember(target, isDeletion ? name.slice(deletePrefix.length) : name, value, shape, isDeletion)
  }
  return target
}

function mergeMember(target: Tree, member: string, value: unknown, shape: Shape, isDeletion: boolean): void {
  const before = own(target, member)
  const of = memberShape(shape, member)
  if (value === null) delete target[member]
  else if (before === undefined || typeName(before) !== typeName(value)) {
    if (!isDeletion) put(target, member, fresh(value))
  } else if (isTree(before) && isTree(value)) target[member] = mergeTree(before, value, of)
  else if (Array.isArray(before) && Array.isArray(value)) target[member] = mergeList(before, value, of, isDeletion)
  else target[member] = value
}

/** What a directive names is the client's: "__proto__" and "constructor" are members like others, never JavaScript's. */
function own(object: Tree, member: string): unknown {
  if (member === '__proto__') throw new StrategicFailure('a member may not be called "__proto__"', true)
  return Object.hasOwn(object, member) ? object[member] : undefined
}

function replaced(patch: Tree): Tree {
  const { $patch: directive, ...rest } = patch
  if (directive === 'replace') return rest
  if (directive === 'delete') return {}
  throw new StrategicFailure(`unknown patch type: ${goText(directive)} in map: ${goText(patch)}`)
}

export function typeName(value: unknown): string {
  if (value === null) return '%!s(<nil>)'
  if (Array.isArray(value)) return '[]interface {}'
  if (isTree(value)) return 'map[string]interface {}'
  if (typeof value === 'number') return Number.isInteger(value) ? 'int64' : 'float64'
  return typeof value === 'boolean' ? 'bool' : 'string'
}

function put(target: Tree, member: string, value: unknown): void {
  if (value === undefined) delete target[member]
  else target[member] = value
}

/** Of what was not there before, nulls say nothing. */
function fresh(value: unknown): unknown {
  return withoutNulls(plain(value))
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (!isTree(value)) return value
  const members = Object.entries(value).filter(([, content]) => content !== null)
  return Object.fromEntries(members.map(([member, content]) => [member, withoutNulls(content)]))
}

/** What carries a directive is not there at all. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain).filter((item) => item !== undefined)
  if (!isTree(value)) return value
  if (Object.hasOwn(value, '$patch')) return undefined
  const out: Tree = {}
  for (const [member, content] of Object.entries(value)) put(out, member, plain(content))
  return out
}

function retainKeys(target: Tree, patch: Tree): void {
  if (!Object.hasOwn(patch, '$retainKeys')) return
  const keep = patch['$retainKeys']
  delete patch['$retainKeys']
  const wrong = new StrategicFailure('invalid patch format of retainKeys', true)
  if (!Array.isArray(keep)) throw wrong
  for (const [member, value] of Object.entries(patch)) {
    if (value === null || member.startsWith(deletePrefix) || member.startsWith(orderPrefix)) continue
    if (!keep.includes(member)) throw wrong
  }
  for (const member of Object.keys(target)) if (!keep.includes(member)) delete target[member]
}

/** A list whose order the patch gives, and what the patch says of its items. */
function mergeOrdered(target: Tree, patch: Tree, directive: string, shape: Shape): void {
  const order = patch[directive]
  const member = directive.slice(orderPrefix.length)
  delete patch[directive]
  const [live, items] = [own(target, member), own(patch, member)]
  for (const list of [order, live ?? [], items ?? []])
    if (!Array.isArray(list)) throw new StrategicFailure(`expected a []interface {}, but received a ${typeName(list)}`)
  const of = memberShape(shape, member)
  const key = of.kind === 'list' ? of.mergeKey : undefined
  checkOrder(listOf(items), listOf(order), key)
  delete patch[member]
  if (live === undefined && items === undefined) return
  const merged = mergedItems(live, items, of)
  if (listOf(live).length + listOf(items).length === 0)
    throw new StrategicFailure('no elements in any of the given slices')
  target[member] = itemsInOrder(listOf(merged), listOf(order), listOf(live), key)
}

function mergedItems(live: unknown, items: unknown, shape: Shape): unknown {
  if (!Array.isArray(live)) return plain(items)
  return Array.isArray(items) ? mergeList(live, items, shape, false) : live
}

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])

/** What the patch adds or changes must stand in the order in the same order. */
function checkOrder(items: readonly unknown[], order: readonly unknown[], key: string | undefined): void {
  if (items.length === 0 || order.length === 0) return
  const directive = (item: unknown) => (isTree(item) ? item['$patch'] : undefined)
  const named = items.filter((item) => directive(item) !== 'delete')
  let next = 0
  let place = 0
  while (next < named.length && place < order.length) {
    const isDirective = directive(named[next]) !== undefined
    if (isDirective || sameItem(named[next], order[place], key)) next += 1
    if (!isDirective) place += 1
  }
  if (next < named.length && place >= order.length)
    throw new StrategicFailure(
      `The order in patch list:\n${goText(items)}\n doesn't match $setElementOrder list:\n${goText(order)}\n`,
    )
}

function sameItem(a: unknown, b: unknown, key: string | undefined): boolean {
  if (key === undefined) return equal(a, b)
  return equal(keyOf(a, key), keyOf(b, key))
}

function keyOf(item: unknown, key: string): unknown {
  if (!isTree(item)) throw new StrategicFailure(`expected a map[string]interface {}, but received a ${typeName(item)}`)
  if (!Object.hasOwn(item, key)) throw noMergeKey(item, key)
  return item[key]
}

const noMergeKey = (item: Tree, key: string) =>
  new StrategicFailure(`map: ${goText(item)} does not contain declared merge key: ${key}`)

function mergeList(live: unknown[], patch: unknown[], shape: Shape, isDeletion: boolean): unknown[] {
  const merges = shape.kind === 'list' && (shape.mergeKey !== undefined || shape.mergeSet)
  if (!isDeletion && !merges) return patch
  if (live.length === 0 && patch.length === 0) return live
  if (isDeletion) return live.filter((item) => !patch.some((value) => equal(item, value)))
  checkTypes([live, patch])
  if (shape.kind !== 'list' || shape.mergeKey === undefined || !isTree([...live, ...patch][0])) {
    const merged = [...live, ...patch].filter(
      (item, index, all) => all.findIndex((other) => equal(other, item)) === index,
    )
    return itemsInOrder(merged, patch, live, undefined)
  }
  return mergeItems(live, patch, shape, shape.mergeKey)
}

function checkTypes(lists: readonly (readonly unknown[])[]): void {
  const types = new Set(lists.flat().map(typeName))
  if (types.has('[]interface {}')) throw new StrategicFailure('lists of lists are not supported', true)
  if (types.size > 1)
    throw new StrategicFailure(`list element types are not identical: [${lists.map(goText).join(' ')}]`)
}

function mergeItems(live: readonly unknown[], patch: readonly unknown[], shape: ListShape, key: string): unknown[] {
  const isSame = (item: unknown, name: unknown) => isTree(item) && Object.hasOwn(item, key) && equal(item[key], name)
  let left = [...live]
  let plain: Tree[] = []
  let replaces = false
  for (const item of patch.filter(isTree)) {
    const directive = item['$patch']
    if (directive === undefined) plain.push(item)
    else if (directive === 'replace') replaces = true
    else if (directive === 'delete') {
      if (!Object.hasOwn(item, key)) throw noMergeKey(item, key)
      left = left.filter((other) => !isSame(other, item[key]))
    } else if (directive === 'merge') throw new StrategicFailure('merging lists cannot yet be specified in the patch')
    else throw new StrategicFailure(`unknown patch type: ${goText(directive)} in map: ${goText(item)}`)
  }
  if (replaces) {
    left = plain
    plain = []
  }
  const merged = [...left]
  for (const item of plain) {
    const name = keyOf(item, key)
    const index = merged.findIndex((other) => isSame(other, name))
    const known = merged[index]
    if (isTree(known)) merged[index] = mergeTree(known, item, shape.of)
    else merged.push(item)
  }
  return itemsInOrder(merged, plain, left, key)
}

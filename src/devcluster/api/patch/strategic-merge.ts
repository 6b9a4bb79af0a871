/**
 * Strategic merge patch: a merge patch that knows by what key the items of a list are the same
 * (k8s.io/apimachinery/pkg/util/strategicpatch). Directives: $patch, $retainKeys, $setElementOrder/x,
 * $deleteFromPrimitiveList/x.
 */
import { type ListShape, memberShape, type Shape } from '../shapes/shape.ts'
import { equal, isTree, type Tree } from '../tree.ts'
import { PatchFailure } from './json-patch.ts'

const orderPrefix = '$setElementOrder/'
const deletePrefix = '$deleteFromPrimitiveList/'

/** The patched object; neither argument is changed. */
export function applyStrategicMerge(target: Tree, patch: Tree, shape: Shape): Tree {
  const directive = patch['$patch']
  if (directive === 'replace') return without(patch)
  if (directive === 'delete') return {}
  if (directive !== undefined && directive !== 'merge')
    throw new PatchFailure(`Unknown patch type found: ${String(directive)}`)
  const out: Tree = structuredClone(target)
  retainKeys(out, patch)
  for (const [member, value] of Object.entries(patch)) {
    if (member.startsWith(deletePrefix)) removeValues(out, member.slice(deletePrefix.length), value)
    else if (!member.startsWith('$')) mergeMember(out, member, value, patch, shape)
  }
  for (const [member, order] of Object.entries(patch)) {
    if (!member.startsWith(orderPrefix)) continue
    const name = member.slice(orderPrefix.length)
    if (!(name in patch)) reorder(out, name, order, target, memberShape(shape, name))
  }
  return out
}

function without(patch: Tree): Tree {
  return Object.fromEntries(Object.entries(patch).filter(([member]) => !member.startsWith('$')))
}

function retainKeys(out: Tree, patch: Tree): void {
  const keep = patch['$retainKeys']
  if (keep === undefined) return
  if (!Array.isArray(keep)) throw new PatchFailure('invalid patch format of retainKeys')
  for (const member of Object.keys(out)) if (!keep.includes(member)) delete out[member]
}

function removeValues(out: Tree, member: string, values: unknown): void {
  const list = out[member]
  if (!Array.isArray(list) || !Array.isArray(values)) return
  out[member] = list.filter((item) => !values.some((value) => equal(item, value)))
}

function mergeMember(out: Tree, member: string, value: unknown, patch: Tree, shape: Shape): void {
  const of = memberShape(shape, member)
  if (value === null) {
    delete out[member]
  } else if (isTree(value)) {
    const before = out[member]
    if (value['$patch'] === 'delete') delete out[member]
    else out[member] = applyStrategicMerge(isTree(before) ? before : {}, value, of)
  } else if (Array.isArray(value) && of.kind === 'list' && (of.mergeKey !== undefined || of.mergeSet)) {
    const before = out[member]
    const live: readonly unknown[] = Array.isArray(before) ? before : []
    const merged = of.mergeKey === undefined ? mergeSet(live, value) : mergeItems(live, value, of, of.mergeKey)
    out[member] = ordered(merged, patch[orderPrefix + member], live, of.mergeKey)
  } else {
    out[member] = structuredClone(value)
  }
}

function mergeSet(live: readonly unknown[], patch: readonly unknown[]): unknown[] {
  return [...live, ...patch.filter((value) => !live.some((item) => equal(item, value)))]
}

function mergeItems(live: readonly unknown[], patch: readonly unknown[], of: ListShape, key: string): unknown[] {
  if (patch.some((item) => isTree(item) && item['$patch'] === 'replace'))
    return patch.filter((item) => !isTree(item) || item['$patch'] !== 'replace').map((item) => structuredClone(item))
  let out = [...live]
  for (const item of patch) {
    if (!isTree(item)) throw new PatchFailure('expected a list of objects in a strategic merge patch')
    const name = item[key]
    if (name === undefined)
      throw new PatchFailure(`map: ${JSON.stringify(item)} does not contain declared merge key: ${key}`)
    const index = out.findIndex((other) => isTree(other) && equal(other[key], name))
    const found = out[index]
    if (item['$patch'] === 'delete') out = out.filter((other) => !isTree(other) || !equal(other[key], name))
    else if (isTree(found)) out[index] = applyStrategicMerge(found, item, of.of)
    else out.push(applyStrategicMerge({}, item, of.of))
  }
  return out
}

function reorder(out: Tree, member: string, order: unknown, target: Tree, shape: Shape): void {
  const list = out[member]
  const live = target[member]
  if (!Array.isArray(list)) return
  const key = shape.kind === 'list' ? shape.mergeKey : undefined
  out[member] = ordered(list, order, Array.isArray(live) ? live : [], key)
}

/** Items that the order names stand in that order; the others keep their place among the live ones. */
function ordered(items: unknown[], order: unknown, live: readonly unknown[], key: string | undefined): unknown[] {
  if (!Array.isArray(order)) return items
  const nameOf = (item: unknown) => (key === undefined ? item : isTree(item) ? item[key] : undefined)
  const wanted = order.map(nameOf)
  const position = (list: readonly unknown[], name: unknown) => list.findIndex((other) => equal(other, name))
  const liveNames = live.map(nameOf)
  const named = items
    .filter((item) => position(wanted, nameOf(item)) >= 0)
    .sort((a, b) => position(wanted, nameOf(a)) - position(wanted, nameOf(b)))
  const rest = items.filter((item) => position(wanted, nameOf(item)) < 0)
  const out: unknown[] = []
  while (named.length > 0 && rest.length > 0) {
    const left = position(liveNames, nameOf(named[0]))
    const right = position(liveNames, nameOf(rest[0]))
    out.push(left >= 0 && right >= 0 && right < left ? rest.shift() : named.shift())
  }
  return [...out, ...named, ...rest]
}

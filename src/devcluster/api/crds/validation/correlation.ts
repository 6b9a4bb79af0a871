/** What a part of an object was before a change: faults of parts that did not change are forgiven (ratcheting, 1.33). */
import { equal, isTree, type Tree, textAt, textsAt, treeAt } from '../../tree.ts'

export interface Correlation {
  readonly now: unknown
  readonly before: unknown
  readonly schema: Tree
}

export function isUnchanged(correlation: Correlation | undefined): boolean {
  return correlation !== undefined && equal(correlation.now, correlation.before)
}

export function memberOf(correlation: Correlation | undefined, member: string): Correlation | undefined {
  if (!correlation) return undefined
  const { now, before, schema } = correlation
  if (!isTree(now) || !isTree(before) || !Object.hasOwn(now, member) || !Object.hasOwn(before, member)) return undefined
  const properties = treeAt(schema, 'properties') ?? {}
  const property = Object.hasOwn(properties, member) ? properties[member] : schema['additionalProperties']
  return isTree(property) ? { now: now[member], before: before[member], schema: property } : undefined
}

/** Only items of lists of type map are known again. */
export function itemOf(correlation: Correlation | undefined, index: number): Correlation | undefined {
  if (!correlation) return undefined
  const { now, before, schema } = correlation
  const items = treeAt(schema, 'items')
  const item = Array.isArray(now) ? now[index] : undefined
  if (!items || !isTree(item) || !Array.isArray(before) || textAt(schema, 'x-kubernetes-list-type') !== 'map')
    return undefined
  const keys = textsAt(schema, 'x-kubernetes-list-map-keys')
  const same = before.find((other) => isTree(other) && keys.every((key) => equal(other[key], item[key])))
  return same === undefined ? undefined : { now: item, before: same, schema: items }
}

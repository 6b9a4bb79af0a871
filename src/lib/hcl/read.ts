import type { Json } from '../json/value.ts'
import { HclError, type HclItem, type HclObject, type HclValue, isHclList, isHclObject } from './tree.ts'

/** One block: `name "label" … { body }`. */
export interface HclBlock {
  readonly labels: readonly string[]
  readonly body: HclObject
  readonly line: number
  readonly column: number
}

/**
 * Every block called `name`, each with exactly `labelCount` labels, however they were written: as labels, as nested
 * objects (`name = { "label" = { … } }`, JSON) or as lists of objects. Throws HclError where something else stands.
 */
export function blocks(object: HclObject, name: string, labelCount: number): HclBlock[] {
  return object.items.flatMap((item) => (item.key === name ? unfold(item, item.labels, item.value, labelCount) : []))
}

function unfold(item: HclItem, labels: readonly string[], value: HclValue, count: number): HclBlock[] {
  if (isHclList(value)) return value.flatMap((element) => unfold(item, labels, element, count))
  if (!isHclObject(value)) throw new HclError(`"${item.key}" must be a block`, item)
  if (labels.length < count) {
    return value.items.flatMap((member) =>
      unfold(place(item, member), [...labels, member.key, ...member.labels], member.value, count),
    )
  }
  // More labels than asked for are keys of nested objects.
  const body = labels.slice(count).reduceRight<HclObject>(
    (inside, key) => ({
      items: [{ key, labels: [], value: inside, line: item.line, column: item.column }],
    }),
    value,
  )
  return [{ labels: labels.slice(0, count), body, line: item.line, column: item.column }]
}

/** Errors inside name the block and point at the member. */
function place(item: HclItem, member: HclItem): HclItem {
  return { ...member, key: item.key }
}

/** The members by key. An object without prototype; a repeated key or one with labels is an HclError. */
export function members(object: HclObject): Readonly<Record<string, HclItem>> {
  const out: Record<string, HclItem> = Object.create(null)
  for (const item of object.items) {
    if (item.labels.length > 0) throw new HclError(`"${item.key}" takes no label`, item)
    if (item.key in out) throw new HclError(`duplicate key "${item.key}"`, item)
    out[item.key] = item
  }
  return out
}

/** As JSON; labels become nested objects, repeated keys are HclErrors. */
export function hclToJson(value: HclValue): Json {
  if (isHclList(value)) return value.map(hclToJson)
  if (!isHclObject(value)) return value
  const out: Record<string, Json> = Object.create(null)
  for (const item of value.items) {
    if (item.key in out) throw new HclError(`duplicate key "${item.key}"`, item)
    out[item.key] = item.labels.reduceRight<Json>((inside, label) => {
      const object: Record<string, Json> = Object.create(null)
      object[label] = inside
      return object
    }, hclToJson(item.value))
  }
  return out
}

import type { Json } from '../json/value.ts'
import { atOnce } from '../turns.ts'
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
  return atOnce(blockSteps(object, name, labelCount))
}

/** The same with pauses. */
export function* blockSteps(object: HclObject, name: string, labelCount: number): Generator<void, HclBlock[]> {
  const search: Search = { count: labelCount, found: [], visited: 0 }
  for (const item of object.items) if (item.key === name) yield* unfold(search, item, item.labels, item.value)
  return search.found
}

interface Search {
  /** Of labels. */
  readonly count: number
  readonly found: HclBlock[]
  visited: number
}

/** Values in between two pauses. */
const visitedPerStep = 500

function* unfold(search: Search, item: HclItem, labels: readonly string[], value: HclValue): Generator<void, void> {
  const { count, found } = search
  search.visited += 1
  if (search.visited % visitedPerStep === 0) yield
  if (isHclList(value)) {
    for (const element of value) yield* unfold(search, item, labels, element)
  } else if (!isHclObject(value)) throw new HclError(`"${item.key}" must be a block`, item)
  else if (labels.length < count) {
    for (const member of value.items) {
      yield* unfold(search, place(item, member), [...labels, member.key, ...member.labels], member.value)
    }
  } else found.push(blockOf(item, labels, value, count))
}

function blockOf(item: HclItem, labels: readonly string[], value: HclObject, count: number): HclBlock {
  const { line, column } = item
  // More labels than asked for are keys of nested objects.
  const body = labels
    .slice(count)
    .reduceRight<HclObject>((inside, key) => ({ items: [{ key, labels: [], value: inside, line, column }] }), value)
  return { labels: labels.slice(0, count), body, line, column }
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

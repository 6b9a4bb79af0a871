/**
 * What Go writes of fields that nobody set: a struct without anything in it is there all the same. Who owns what, and what a
 * client reads back, follows from that.
 */
import { isTree, type Tree } from '../tree.ts'
import type { Field, Scalar, Shape } from './shape.ts'

/** Changes `value`. */
export function writeZeros(value: unknown, shape: Shape): void {
  if (shape.kind === 'struct' && isTree(value)) {
    for (const [member, field] of shape.fields) {
      const isWritten = field.unset === 'zero' || field.unset === 'null'
      if (isWritten && (value[member] === undefined || value[member] === null)) value[member] = zeroOf(field)
      writeZeros(value[member], field.shape)
    }
  } else if (shape.kind === 'map' && isTree(value)) {
    for (const content of Object.values(value)) writeZeros(content, shape.of)
  } else if (shape.kind === 'list' && Array.isArray(value)) {
    for (const item of value) writeZeros(item, shape.of)
  }
}

/** A new object of a kind before anything is in it. */
export function zeroObject(shape: Shape): Tree {
  const out: Tree = {}
  writeZeros(out, shape)
  return out
}

function zeroOf({ unset, shape }: Field): unknown {
  return unset === 'null' ? null : zeroItem(shape)
}

/** What Go reads from a null in a list. */
export function zeroItem(shape: Shape): unknown {
  if (shape.kind === 'scalar') return zeroScalars[shape.type]
  return shape.kind === 'struct' || shape.kind === 'map' ? {} : null
}

/** Whether Go leaves a field out that has this value. */
export function isLeftOut(value: unknown, { unset, shape }: Field): boolean {
  if (value === null) return true
  if (shape.kind === 'scalar') return unset === 'dropped' && value === zeroScalars[shape.type]
  if (unset !== undefined) return false
  if (shape.kind === 'list') return Array.isArray(value) && value.length === 0
  return shape.kind === 'map' && isTree(value) && Object.keys(value).length === 0
}

const zeroScalars: Readonly<Record<Scalar, unknown>> = {
  text: '',
  integer: 0,
  number: 0,
  boolean: false,
  time: null,
  quantity: '0',
  intOrText: 0,
  bytes: null,
}

/** Owners of parts of what has become one field since own the field. */
import { isAtomic, type Shape } from '../../shapes/shape.ts'
import { type FieldPath, stepShape } from './field-path.ts'
import { below, emptySet, type FieldSet, insert, isEmpty, recursiveDifference, union } from './field-set.ts'

export function reconcileWithShape(fields: FieldSet, shape: Shape): FieldSet {
  const whole = emptySet()
  visit(fields, shape, [], whole)
  return isEmpty(whole) ? fields : union(recursiveDifference(fields, whole), whole)
}

function visit(fields: FieldSet, shape: Shape, path: FieldPath, whole: FieldSet): void {
  const isWhole = shape.kind === 'list' ? shape.owned === 'atomic' : isAtomic(shape)
  if (isWhole) {
    if (!isEmpty(fields)) insert(whole, path)
    return
  }
  for (const step of fields.children.keys()) {
    const of = stepShape(shape, step)
    if (of) visit(below(fields, step), of, [...path, step], whole)
  }
}

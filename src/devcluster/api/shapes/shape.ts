/** What a document may hold and how its lists merge: for unknown fields, strategic merge and field ownership. */

export type Scalar = 'text' | 'integer' | 'number' | 'boolean' | 'time' | 'quantity' | 'intOrText' | 'bytes'

export interface Field {
  readonly shape: Shape
  /** Strategic merge: keys that the patch does not name are dropped. */
  readonly retainKeys: boolean
  /** Go writes the field even when nobody set it (its type's zero, or null), or not even when somebody set it to its zero. */
  readonly unset?: 'zero' | 'null' | 'dropped'
  /** What the field is in the key of a list when an item leaves it out. */
  readonly keyDefault?: string | number | boolean
}

export interface ListShape {
  readonly kind: 'list'
  readonly of: Shape
  /** Strategic merge: items are the same when this member is. */
  readonly mergeKey?: string
  /** Strategic merge of plain values: appended when not there yet. */
  readonly mergeSet: boolean
  /** Ownership: 'atomic' is one value, 'set' a set of plain values, otherwise the members that name an item. */
  readonly owned: 'atomic' | 'set' | readonly string[]
}

export interface StructShape {
  /** Of a built-in type: "core.Pod". */
  readonly name?: string
  readonly kind: 'struct'
  readonly fields: ReadonlyMap<string, Field>
  readonly atomic: boolean
  /** Of members that are no fields; absent: there may be none. */
  readonly rest?: Shape
}

export type Shape =
  | { readonly kind: 'scalar'; readonly type: Scalar }
  /** Anything; owned member by member. */
  | { readonly kind: 'any' }
  | StructShape
  | { readonly kind: 'map'; readonly of: Shape; readonly atomic: boolean }
  | ListShape

export const anyShape: Shape = { kind: 'any' }

/** The shape of a member; `any` where the shape says nothing. */
export function memberShape(shape: Shape, member: string): Shape {
  if (shape.kind === 'struct') return shape.fields.get(member)?.shape ?? shape.rest ?? anyShape
  return shape.kind === 'map' ? shape.of : anyShape
}

export function isAtomic(shape: Shape): boolean {
  return (shape.kind === 'struct' || shape.kind === 'map') && shape.atomic
}

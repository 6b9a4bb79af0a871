import type { JsonNumber } from '../json/value.ts'

/** A document or the inside of braces: its items in order, repeated keys kept, so that each consumer can say what a repetition means. */
export interface HclObject {
  readonly items: readonly HclItem[]
}

/** `key = value`, `key { … }` or `key "label" … { … }`. Lines and columns count from 1, columns in characters. */
export interface HclItem {
  readonly key: string
  readonly labels: readonly string[]
  readonly value: HclValue
  readonly line: number
  readonly column: number
}

/** A JsonNumber where JavaScript would lose digits; null only from a JSON document. */
export type HclValue = null | string | number | JsonNumber | boolean | readonly HclValue[] | HclObject

/** Not HCL, or more than the limits allow. The message names the place and never quotes values. */
export class HclError extends Error {
  override name = 'HclError'
  readonly line: number
  readonly column: number
  /** The message without its place. */
  readonly reason: string

  constructor(reason: string, at: { readonly line: number; readonly column: number }) {
    super(`line ${at.line}, column ${at.column}: ${reason}`)
    this.reason = reason
    this.line = at.line
    this.column = at.column
  }
}

export function isHclObject(value: HclValue): value is HclObject {
  return typeof value === 'object' && value !== null && 'items' in value
}

export function isHclList(value: HclValue): value is readonly HclValue[] {
  return Array.isArray(value)
}

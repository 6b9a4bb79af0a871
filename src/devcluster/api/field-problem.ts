/** What is wrong with one field, in apimachinery's words (k8s.io/apimachinery/pkg/util/validation/field). */

export interface FieldProblem {
  readonly reason: string
  readonly field: string
  readonly message: string
}

const quote = (value: unknown) => JSON.stringify(value ?? null)

function problem(reason: string, field: string, words: string, detail: string): FieldProblem {
  return { reason, field, message: detail === '' ? words : `${words}: ${detail}` }
}

export const required = (field: string, detail = '') => problem('FieldValueRequired', field, 'Required value', detail)
export const invalid = (field: string, value: unknown, detail: string) =>
  problem('FieldValueInvalid', field, `Invalid value: ${quote(value)}`, detail)
export const typeInvalid = (field: string, value: unknown, detail: string) =>
  problem('FieldValueTypeInvalid', field, `Invalid value: ${quote(value)}`, detail)
export const forbidden = (field: string, detail: string) => problem('FieldValueForbidden', field, 'Forbidden', detail)
export const duplicate = (field: string, value: unknown) =>
  problem('FieldValueDuplicate', field, `Duplicate value: ${quote(value)}`, '')
export const notFoundField = (field: string, value: unknown) =>
  problem('FieldValueNotFound', field, `Not found: ${quote(value)}`, '')
export const tooLong = (field: string, maxBytes: number) =>
  problem('FieldValueTooLong', field, 'Too long', `may not be more than ${maxBytes} bytes`)
export const tooMany = (field: string, actual: number, most: number) =>
  problem(
    'FieldValueTooMany',
    field,
    `Too many: ${actual}`,
    `must have at most ${most} ${most === 1 ? 'item' : 'items'}`,
  )
export const notSupported = (field: string, value: unknown, supported: readonly string[]) =>
  problem(
    'FieldValueNotSupported',
    field,
    `Unsupported value: ${quote(value)}`,
    `supported values: ${supported.map(quote).join(', ')}`,
  )

export const immutable = (field: string, value: unknown) => invalid(field, value, 'field is immutable')

/** "a" or "[a, b]", each once, as Go's aggregate errors print. */
export function aggregate(messages: readonly string[]): string {
  const distinct = [...new Set(messages)]
  return distinct.length === 1 ? (distinct[0] ?? '') : `[${distinct.join(', ')}]`
}

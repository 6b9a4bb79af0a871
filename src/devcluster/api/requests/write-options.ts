/** The query parameters of a write, held against apimachinery's rules for them. */
import { type FieldProblem, forbidden, notSupported, required, tooLong } from '../field-problem.ts'
import { invalidObject } from '../status.ts'

const maxManagerBytes = 128

/** Throws the refusal. `kind`: CreateOptions, UpdateOptions, PatchOptions. */
export function checkWriteOptions(query: URLSearchParams, kind: string, isApply = false): void {
  const manager = query.get('fieldManager') ?? ''
  const problems: FieldProblem[] = []
  if (isApply && manager === '') problems.push(required('fieldManager', 'is required for apply patch'))
  if (kind === 'PatchOptions' && !isApply && query.has('force'))
    problems.push(forbidden('force', 'may not be specified for non-apply patch'))
  problems.push(...managerProblems(manager))
  const dryRun = query.getAll('dryRun')
  if (dryRun.some((value) => value !== 'All')) problems.push(notSupported('dryRun', dryRun, ['All']))
  const validation = query.get('fieldValidation') ?? ''
  const known = ['', 'Ignore', 'Strict', 'Warn']
  if (!known.includes(validation)) problems.push(notSupported('fieldValidation', validation, known))
  if (problems.length > 0) throw invalidObject({ group: 'meta.k8s.io', kind }, '', problems)
}

function managerProblems(manager: string): FieldProblem[] {
  const out: FieldProblem[] = []
  if (Buffer.byteLength(manager) > maxManagerBytes) out.push(tooLong('fieldManager', maxManagerBytes))
  let position = 0
  for (const letter of manager) {
    if (!/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u.test(letter)) {
      const code = (letter.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')
      const detail = `invalid character U+${code} (at position ${position})`
      const message = `Invalid value: ${goQuoted(manager)}: ${detail}`
      out.push({ reason: 'FieldValueInvalid', field: 'fieldManager', message })
    }
    position += Buffer.byteLength(letter)
  }
  return out
}

/** Go's %q differs from JSON in what is not printed. */
function goQuoted(text: string): string {
  return JSON.stringify(text)
    .replaceAll('\\u0007', '\\a')
    .replaceAll('\\u000b', '\\v')
    .replace(/\\u00([01][0-9a-f])/g, '\\x$1')
    .replaceAll('\u007f', '\\x7f')
}

/** As the API server reads a flag: there and not refused is yes. */
export function isForced(query: URLSearchParams): boolean {
  const text = query.get('force')
  return text !== null && text.toLowerCase() !== 'false' && text !== '0'
}

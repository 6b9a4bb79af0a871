/** The option `filter` of a device. */
import { RE2JS } from 're2js'
import {
  FilterError,
  type FilterLanguage,
  type Predicate,
  parseFilter as parse,
} from '../../../lib/filter-expression.ts'
import type { AuditedRequest } from '../../contracts/audit.ts'
import { Refusal } from '../../contracts/request.ts'

export type AuditFilter = Predicate<AuditedRequest>

const language: FilterLanguage<AuditedRequest> = {
  subject: 'an audit line',
  properties: {
    mount_point: ({ namespace, mount }) => (mount ? namespace.path + mount.path : ''),
    mount_type: ({ mount }) => mount?.type ?? '',
    namespace: ({ namespace }) => namespace.path,
    operation: ({ operation }) => operation,
    path: ({ path }) => path,
  },
  compile: (pattern) => {
    const compiled = RE2JS.compile(pattern)
    return (text) => compiled.matcher(text).find()
  },
}

/** Refusal 400 that says what is wrong with the expression. */
export function parseFilter(text: string): AuditFilter {
  try {
    return parse(text, language)
  } catch (error) {
    if (!(error instanceof FilterError)) throw error
    const { message, cause } = error
    throw new Refusal(400, `cannot parse the audit filter: ${message}`, { cause })
  }
}

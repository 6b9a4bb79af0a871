import { compareUtf8 } from '../../lib/json/stringify.ts'
import type { Json, JsonObject } from '../../lib/json/value.ts'
import { type Envelope, isObject, texts } from '../../sdk/envelope.ts'
import type { CommandCall } from '../command.ts'
import { shownMember } from './go-value.ts'
import { line, printDocument, printSecret, printWarnings, warn } from './secret.ts'
import { tableOf } from './table.ts'

/**
 * The keys of a LIST; 2 when there are none. As JSON or YAML only the keys. `detailed`: the whole answer as JSON or YAML,
 * as a table a column for each member of `key_info`.
 */
export function printListing(
  call: CommandCall,
  answer: Envelope | undefined,
  path: string,
  options: { readonly detailed?: boolean } = {},
): number {
  const keys = answer?.data?.['keys']
  if (answer?.wrap_info) {
    printSecret(call, answer)
    return 0
  }
  if (!answer || !Array.isArray(keys) || keys.length === 0) {
    if (call.session.format() !== 'table') line(call, '{}')
    else {
      if (answer) printWarnings(call, answer)
      warn(call, `No value found at ${path}`)
    }
    return 2
  }
  const table = call.session.format() === 'table'
  const info = answer.data?.['key_info']
  if (options.detailed && table && isObject(info)) {
    printWarnings(call, answer)
    line(call, detailedTable(texts(keys), info))
  } else if (table || options.detailed) printSecret(call, table ? keysOnly(answer, keys) : answer)
  else printDocument(call, keys)
  return 0
}

/** A table of a plain list shows no key_info, which would be one unreadable cell. */
const keysOnly = (answer: Envelope, keys: Json): Envelope => ({ ...answer, data: { keys } })

function detailedTable(keys: readonly string[], info: JsonObject): string {
  const of = (key: string): JsonObject => {
    const members = info[key]
    return isObject(members) ? members : {}
  }
  const names = [...new Set(keys.flatMap((key) => Object.keys(of(key))))].sort(compareUtf8)
  const rows = keys.map((key) => [key, ...names.map((name) => shownMember(name, of(key)[name]))])
  return tableOf([['Keys', ...names], ...rows])
}

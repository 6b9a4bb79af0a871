import type { Envelope } from '../../sdk/envelope.ts'
import type { CommandCall } from '../command.ts'
import { line, printDocument, printSecret, printWarnings, warn } from './secret.ts'

/** The keys of a LIST; 2 when there are none. As JSON or YAML only the keys. */
export function printListing(call: CommandCall, answer: Envelope | undefined, path: string): number {
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
  if (call.session.format() === 'table') printSecret(call, answer)
  else printDocument(call, keys)
  return 0
}

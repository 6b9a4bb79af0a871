import type { Envelope } from '../../sdk/envelope.ts'
import type { CommandCall } from '../command.ts'
import { line, membersTable, printAnswer, printSecret, printWarnings } from '../output/secret.ts'
import { heading, headingFor } from '../output/table.ts'

/** The new version's metadata under its path, or that it was done. -> exit status */
export function printWritten(call: CommandCall, answer: Envelope | undefined, full: string): number {
  if (!answer) return printDone(call, answer, `Success! Data written to: ${full}`)
  if (call.flags.has('field') || call.session.format() !== 'table' || answer.wrap_info) return printAnswer(call, answer)
  printWarnings(call, answer)
  const metadata = answer.data ?? {}
  line(call, `${heading('Secret Path', full.length)}\n${full}\n`)
  line(call, `${headingFor('Metadata', metadata)}\n${membersTable(metadata)}`)
  return 0
}

/** For calls that answer nothing; when the server says something all the same, that is shown. -> exit status */
export function printDone(call: CommandCall, answer: Envelope | undefined, words: string): number {
  if (answer) printSecret(call, answer)
  else if (call.session.format() === 'table') line(call, words)
  return 0
}

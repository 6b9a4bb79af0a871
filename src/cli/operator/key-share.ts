import { type CommandCall, Failure } from '../command.ts'
import { askHidden } from '../input/hidden-prompt.ts'
import { readAll } from '../input/stream-text.ts'

/** The share that the command was given, asked for (hidden), or reads from stdin for "-". */
export async function keyShare(call: CommandCall, question: string): Promise<string> {
  const [arg] = call.args
  const typed =
    arg === undefined
      ? await askHidden(call.context, question, 'give "-" and the key on stdin')
      : arg === '-'
        ? await readAll(call.context.stdin)
        : arg
  if (typed.trim() === '') throw new Failure(1, 'A key must be supplied')
  return typed.trim()
}

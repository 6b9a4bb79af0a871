import { type CommandCall, Failure } from '../../command.ts'
import type { FlagSpecs } from '../../flags.ts'

export const versionsFlag: FlagSpecs = {
  versions: { kind: 'list', about: 'These versions: 1,2 or repeated.' },
}

/** -versions=1,2 -versions=3. Failure 1 for what is no number. */
export function versionNumbers(call: CommandCall): readonly string[] {
  const numbers = call.flags.list('versions').flatMap((given) => given.split(',').map((number) => number.trim()))
  const wrong = numbers.find((number) => !/^\d+$/.test(number))
  if (wrong !== undefined) throw new Failure(1, `invalid value "${wrong}" for flag -versions: want numbers such as 1,2`)
  return numbers
}

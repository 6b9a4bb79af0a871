import type { Json, JsonObject } from '../../../lib/json/value.ts'
import { isObject, text } from '../../../sdk/envelope.ts'
import { type CliContext, type CommandCall, Failure, failing } from '../../command.ts'
import type { FlagSpecs } from '../../flags.ts'
import { warn } from '../../output/secret.ts'

export const treeFlags: FlagSpecs = {
  recursive: { kind: 'bool', alias: 'r', about: 'Everything below PATH, which is a folder. Asks first.' },
  'dry-run': { kind: 'bool', about: 'Only say what would happen.' },
  yes: { kind: 'bool', alias: 'y', about: 'Do not ask.' },
}

export interface TreeAnswer {
  readonly keys: readonly JsonObject[]
  readonly skipped: readonly { readonly path: string; readonly reason: string }[]
  readonly versions: number
}

/** All the requests that one tree takes. */
export async function callTree(
  call: CommandCall,
  full: string,
  body: JsonObject,
  dryRun: boolean,
): Promise<TreeAnswer> {
  const client = call.session.client()
  const keys: JsonObject[] = []
  const skipped: { path: string; reason: string }[] = []
  let versions = 0
  let after = ''
  do {
    const written = client.write(full, { ...body, dry_run: dryRun, after }, { signal: call.context.signal })
    const data = (await failing(`Error writing data to ${full}`, written))?.data
    if (!data) throw new Failure(2, `Error writing data to ${full}: the server did not say what it did`)
    keys.push(...objects(data['keys']))
    skipped.push(...objects(data['skipped']).map((one) => ({ path: text(one['path']), reason: text(one['reason']) })))
    versions += Number(data['versions'] ?? 0)
    after = text(data['next'])
  } while (after !== '')
  return { keys, skipped, versions }
}

const objects = (value: Json | undefined): readonly JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : [])

export const counted = (n: number, noun: string) => `${n} ${noun}${n === 1 ? '' : 's'}`

/** -> exit status: 2 when something was passed over. */
export function warnSkipped(call: CommandCall, answer: TreeAnswer): number {
  for (const { path, reason } of answer.skipped) warn(call, `Passed over ${path}: ${reason}`)
  return answer.skipped.length > 0 ? 2 : 0
}

/** True for "y" or "yes" on the terminal. Failure 1 without one. */
export async function confirmed({ stdin, stderr, signal }: CliContext, question: string): Promise<boolean> {
  if (!('isTTY' in stdin) || stdin.isTTY !== true) throw new Failure(1, 'stdin is no terminal to ask on: give -yes')
  stderr.write(`${question} [y/N] `)
  let typed = ''
  for await (const chunk of stdin) {
    typed += String(chunk)
    if (/[\r\n]/.test(typed)) break
  }
  if (signal.aborted) throw new Failure(130, 'interrupted')
  return /^\s*y(es)?\s*$/i.test(typed.split(/[\r\n]/)[0] ?? '')
}

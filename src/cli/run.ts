/** The command line: commands over HTTP, as the vault CLI has them. */

import { closest } from '../lib/closest.ts'
import { isObject } from '../sdk/envelope.ts'
import { ResponseError } from '../sdk/response-error.ts'
import { TransportError } from '../sdk/transport.ts'
import { commands, groups, rolesOf } from './catalogue.ts'
import { type CliContext, type Command, Failure } from './command.ts'
import { completions } from './complete.ts'
import { type Flags, parseFlags } from './flags.ts'
import { commandHelp, groupHelp, overview } from './help.ts'
import { Session } from './session.ts'

/**
 * -> exit status: 0; 1 wrong use or local trouble; 2 the server said no, was not there, or is sealed; 127 no such
 * command; 130 interrupted.
 */
export async function runCli(argv: readonly string[], context: CliContext): Promise<number> {
  const { stdin } = context
  // Whoever waits for stdin must not wait on after Ctrl-C; a hidden prompt ends itself and puts the terminal right.
  const onAbort = () => {
    if (!('isRaw' in stdin) || stdin.isRaw !== true) stdin.destroy()
  }
  context.signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await dispatch(argv, context)
  } catch (error) {
    if (context.signal.aborted) return 130
    if (!(error instanceof Failure) && !(error instanceof TransportError)) throw error
    context.stderr.write(`${error.message}\n${reasonHint(error, context)}`)
    return error instanceof Failure ? error.status : 1
  } finally {
    context.signal.removeEventListener('abort', onAbort)
  }
}

/** How to learn why policy said no; nothing under Vault's name, whose scripts read what Vault prints. */
function reasonHint(error: Error, { name }: CliContext): string {
  const answer = error.cause
  if (name !== 'coffer' || !(answer instanceof ResponseError) || answer.status !== 403 || answer.tokenInvalid) return ''
  // Other refusals with 403 (the preflight of kv) are no policy's decision about this path: the server remembers none.
  if (!answer.errors.some((line) => line.includes('permission denied'))) return ''
  const { document } = answer.response
  const id = isObject(document) ? document['request_id'] : undefined
  return typeof id === 'string' ? `\nWhy: ${name} policy explain -request-id=${id}\n` : ''
}

/** In words. */
const longestName = 4

async function dispatch(argv: readonly string[], context: CliContext): Promise<number> {
  const [first] = argv
  if (first === undefined || isHelp(first) || first === 'help') {
    context.stdout.write(`${overview(context)}\n`)
    return first === undefined ? 127 : 0
  }
  if (first === '__complete') {
    for (const word of completions(argv.slice(1), context.name)) context.stdout.write(`${word}\n`)
    return 0
  }
  if (first === '-v' || first === '-version' || first === '--version') return dispatch(['version'], context)
  // "operator raft snapshot save": the longest name that the words begin with.
  const names = argv
    .map((_, i) => argv.slice(0, i + 1).join(' '))
    .slice(0, longestName)
    .reverse()
  const called = names.find((name) => commands.some((command) => command.name === name))
  const command = commands.find(({ name }) => name === called)
  if (command) return runCommand(command, argv.slice(command.name.split(' ').length), context)
  const group = names.find((name) => groups.some((one) => one.name === name))
  if (group !== undefined) return inGroup(group, argv[group.split(' ').length], context)
  return unknown(
    first,
    [...commands.map(({ name }) => name.split(' ')[0] ?? ''), ...rolesOf(context.name).map(({ name }) => name)],
    context,
  )
}

function inGroup(group: string, second: string | undefined, context: CliContext): number {
  if (second !== undefined && !second.startsWith('-')) {
    const inside = commands
      .filter(({ name }) => name.startsWith(`${group} `))
      .map(({ name }) => name.slice(group.length + 1).split(' ')[0] ?? '')
    return unknown(second, inside, context, `${group} `)
  }
  const asked = second !== undefined && isHelp(second)
  const stream = asked ? context.stdout : context.stderr
  stream.write(`${groupHelp(context, group)}\n`)
  return asked ? 0 : 1
}

function unknown(typed: string, known: readonly string[], context: CliContext, prefix = ''): number {
  const near = closest(typed, known)
  const hint = near
    ? `Did you mean "${context.name} ${prefix}${near}"?`
    : `"${context.name} ${prefix}-h" lists what there is.`
  context.stderr.write(`Unknown command: ${prefix}${typed}\n\n${hint}\n`)
  return 127
}

const isHelp = (word: string) => word === '-h' || word === '-help' || word === '--help'

async function runCommand(command: Command, argv: readonly string[], context: CliContext): Promise<number> {
  const end = argv.indexOf('--')
  if ((end < 0 ? argv : argv.slice(0, end)).some(isHelp)) {
    context.stdout.write(`${commandHelp(context, command)}\n`)
    return 0
  }
  const { flags, args } = understood(command, argv, context)
  const session = new Session(flags, context)
  // A wrong format is wrong use: nothing may have been written by the time it is noticed.
  if (Object.hasOwn(command.flags, 'format')) {
    session.format()
    if (session.raw() && !command.raw) {
      throw new Failure(1, `"${context.name} ${command.name}" has no raw output: use table, json, yaml or pretty`)
    }
  }
  let status: number
  try {
    status = await command.run({ args, flags, session, context: session.context })
  } catch (error) {
    if (session.shown()?.text === undefined) throw error
    status = 0
  } finally {
    await session.close()
  }
  return inPlaceOfRequest(session, flags, context) ?? status
}

/** With -output-curl-string and -output-policy: what was asked for, or that the command asks the server nothing. */
function inPlaceOfRequest(session: Session, flags: Flags, context: CliContext): number | undefined {
  const shown = session.shown()
  if (!shown) return undefined
  if (shown.text === undefined) {
    context.stderr.write(`Could not generate ${flags.on('output-policy') ? 'policy' : 'cURL command'}\n`)
    return 1
  }
  context.stdout.write(`${shown.text}\n`)
  return 0
}

/** What is wrong with the words typed, and where to read how it is meant. */
function understood(command: Command, argv: readonly string[], context: CliContext): { flags: Flags; args: string[] } {
  try {
    const parsed = parseFlags(argv, command.flags)
    const { min, max } = command.takes
    const count = parsed.args.length
    if (count < min) throw new Failure(1, `Not enough arguments (expected ${min}, got ${count})`)
    if (max !== undefined && count > max) throw new Failure(1, `Too many arguments (expected ${max}, got ${count})`)
    return parsed
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    throw new Failure(error.status, `${error.message}\n\n"${context.name} ${command.name} -h" shows how it is used.`)
  }
}

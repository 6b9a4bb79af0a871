import type { JsonObject } from '../../lib/json/value.ts'
import { type Command, type CommandCall, Failure, failing } from '../command.ts'
import { readTextArgument } from '../input/key-values.ts'
import { line } from '../output/secret.ts'
import { connectionFlags } from '../session.ts'

export const tokenRevoke: Command = {
  name: 'token revoke',
  summary: 'Revoke a token and its children',
  args: '[options] [TOKEN | ACCESSOR]',
  about: '- reads the token from stdin.',
  examples: [
    { says: 'My own token', run: 'token revoke -self' },
    { says: 'Another, by its accessor', run: 'token revoke -accessor 8609694a-cdbc-db9b-d345-e782dbb562ed' },
  ],
  flags: {
    ...connectionFlags,
    self: { kind: 'bool', about: 'The token in use.' },
    accessor: { kind: 'bool', about: 'The argument is an accessor.' },
    mode: { kind: 'text', about: 'orphan: leave its children alive.' },
  },
  takes: { min: 0, max: 1 },
  run: async (call) => {
    const { path, body } = await target(call)
    await failing('Error revoking token', call.session.client().write(path, body, call.session.callOptions()))
    line(call, 'Success! Revoked token (if it existed)')
    return 0
  },
}

async function target(call: CommandCall): Promise<{ path: string; body: JsonObject }> {
  const { flags, args } = call
  const [arg] = args
  const mode = flags.text('mode') || undefined
  if (flags.on('self')) {
    if (flags.on('accessor')) throw new Failure(1, 'Cannot use -self with -accessor!')
    if (mode !== undefined) throw new Failure(1, 'Cannot use -self with -mode!')
    if (arg !== undefined) throw new Failure(1, 'Too many arguments with -self (expected 0, got 1)')
    return { path: 'auth/token/revoke-self', body: {} }
  }
  if (arg === undefined) throw new Failure(1, 'Not enough arguments (expected 1 or -self)')
  if (mode !== undefined && mode !== 'orphan') throw new Failure(1, `Invalid mode: ${mode} (orphan)`)
  if (flags.on('accessor') && mode) throw new Failure(1, 'Cannot use -accessor with -mode=orphan!')
  const subject = (await readTextArgument(arg, call.context.stdin)).trim()
  if (flags.on('accessor')) {
    return { path: 'auth/token/revoke-accessor', body: { accessor: subject } }
  }
  return { path: mode ? 'auth/token/revoke-orphan' : 'auth/token/revoke', body: { token: subject } }
}

import { type Command, Failure, failing } from '../command.ts'
import { readTextArgument } from '../input/key-values.ts'
import { printAnswer } from '../output/secret.ts'
import { connectionFlags, fieldFlag, formatFlag } from '../session.ts'

export const tokenLookup: Command = {
  name: 'token lookup',
  summary: 'Show what a token is: policies, life, path',
  args: '[options] [TOKEN | ACCESSOR]',
  about: 'Without an argument: the token in use. - reads it from stdin.',
  examples: [
    { says: 'My own token', run: 'token lookup' },
    { says: 'Another, by its accessor', run: 'token lookup -accessor 8609694a-cdbc-db9b-d345-e782dbb562ed' },
  ],
  flags: {
    ...connectionFlags,
    ...formatFlag,
    ...fieldFlag,
    accessor: { kind: 'bool', about: 'The argument is an accessor.' },
  },
  takes: { min: 0, max: 1 },
  run: async (call) => {
    const client = call.session.client()
    const options = call.session.callOptions()
    const byAccessor = call.flags.on('accessor')
    const [arg] = call.args
    if (arg === undefined && byAccessor) throw new Failure(1, 'Not enough arguments with -accessor (expected 1, got 0)')
    const subject = arg === undefined ? undefined : (await readTextArgument(arg, call.context.stdin)).trim()
    const looked =
      subject === undefined
        ? client.read('auth/token/lookup-self', undefined, options)
        : byAccessor
          ? client.write('auth/token/lookup-accessor', { accessor: subject }, options)
          : client.write('auth/token/lookup', { token: subject }, options)
    const answer = await failing('Error looking up token', looked)
    if (!answer) throw new Failure(2, 'Error looking up token: the server answered nothing')
    return printAnswer(call, answer)
  },
}

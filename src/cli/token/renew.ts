import { type Command, Failure, failing } from '../command.ts'
import { readTextArgument } from '../input/key-values.ts'
import { printAnswer } from '../output/secret.ts'
import { connectionFlags, fieldFlag, formatFlag } from '../session.ts'

export const tokenRenew: Command = {
  name: 'token renew',
  summary: 'Prolong the life of a token',
  args: '[options] [TOKEN | ACCESSOR]',
  about: 'Without an argument: the token in use. - reads it from stdin.',
  examples: [{ says: 'My own token, an hour more', run: 'token renew -increment=1h' }],
  flags: {
    ...connectionFlags,
    ...formatFlag,
    ...fieldFlag,
    accessor: { kind: 'bool', about: 'The argument is an accessor.' },
    increment: { kind: 'duration', alias: 'i', about: 'How long from now; the server may give less.' },
  },
  takes: { min: 0, max: 1 },
  run: async (call) => {
    const client = call.session.client()
    const options = call.session.callOptions()
    const increment = call.flags.text('increment')
    const more = increment === undefined ? {} : { increment }
    const byAccessor = call.flags.on('accessor')
    const [arg] = call.args
    if (arg === undefined && byAccessor) throw new Failure(1, 'Not enough arguments with -accessor (expected 1, got 0)')
    const subject = arg === undefined ? undefined : (await readTextArgument(arg, call.context.stdin)).trim()
    const renewed =
      subject === undefined
        ? client.write('auth/token/renew-self', more, options)
        : byAccessor
          ? client.write('auth/token/renew-accessor', { accessor: subject, ...more }, options)
          : client.write('auth/token/renew', { token: subject, ...more }, options)
    const answer = await failing('Error renewing token', renewed)
    return answer ? printAnswer(call, answer) : 0
  },
}

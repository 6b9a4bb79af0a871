import { type Command, Failure, failing } from '../command.ts'
import { printAnswer } from '../output/secret.ts'
import { connectionFlags, fieldFlag, formatFlag } from '../session.ts'

export const unwrap: Command = {
  name: 'unwrap',
  summary: 'Take what a wrapping token holds, once',
  args: '[options] [TOKEN]',
  about:
    'Without TOKEN it is the token of the environment or the token file. Others on this machine can see the arguments of a process: prefer VAULT_TOKEN for a wrapping token.',
  examples: [
    { says: 'What somebody wrapped for you', run: 'unwrap hvs.CAES' },
    { says: 'The wrapping token is VAULT_TOKEN', run: 'unwrap' },
  ],
  flags: { ...connectionFlags, ...formatFlag, ...fieldFlag },
  takes: { min: 0, max: 1 },
  run: async (call) => {
    const token = (call.args[0] ?? '').trim()
    const own = call.session.token()
    // Who has no token of their own opens it by itself.
    const client = token !== '' && own === undefined ? call.session.client({ token }) : call.session.client()
    if (token === '' && own === undefined) throw new Failure(1, 'No token was given, and there is none in VAULT_TOKEN')
    const body = token === '' || own === undefined ? {} : { token }
    const { signal } = call.session.callOptions()
    const answer = await failing('Error unwrapping', client.write('sys/wrapping/unwrap', body, { signal }))
    if (!answer) throw new Failure(2, 'Successfully unwrapped. There was no data in the wrapped secret.')
    return printAnswer(call, answer)
  },
}

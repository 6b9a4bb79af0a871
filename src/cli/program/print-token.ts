import { type Command, Failure } from '../command.ts'
import { line } from '../output/secret.ts'
import { connectionFlags } from '../session.ts'

export const printToken: Command = {
  name: 'print token',
  summary: 'Print the token that would be used',
  args: '[options]',
  about:
    'From COFFER_TOKEN, VAULT_TOKEN or BAO_TOKEN, else from the program that token_helper in ~/.vault names, else from the token file.',
  examples: [{ says: 'For another program', run: 'print token' }],
  flags: { ...connectionFlags },
  takes: { min: 0, max: 0 },
  run: async (call) => {
    const token = call.session.token()
    if (token === undefined) throw new Failure(1, 'There is no token: log in, or set VAULT_TOKEN')
    line(call, token)
    return 0
  },
}

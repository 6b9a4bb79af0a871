import { texts } from '../../sdk/envelope.ts'
import { type Command, failing } from '../command.ts'
import { line, printDocument } from '../output/secret.ts'
import { connectionFlags, formatFlag } from '../session.ts'

export const policyList: Command = {
  name: 'policy list',
  summary: 'List the policies',
  args: '[options]',
  examples: [{ says: 'All policies', run: 'policy list' }],
  flags: { ...connectionFlags, ...formatFlag },
  takes: { min: 0, max: 0 },
  run: async (call) => {
    const listed = call.session.client().list('sys/policies/acl', call.session.callOptions())
    const names = texts((await failing('Error listing policies', listed))?.data?.['keys'])
    if (call.session.format() !== 'table') printDocument(call, names)
    else for (const name of names) line(call, name)
    return 0
  },
}

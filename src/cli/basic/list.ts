import { type Command, failing } from '../command.ts'
import { printListing } from '../output/listing.ts'
import { connectionFlags, formatFlag } from '../session.ts'

export const list: Command = {
  name: 'list',
  summary: 'List what is below a path',
  args: '[options] PATH',
  examples: [{ says: 'The roles of the Kubernetes auth method', run: 'list auth/kubernetes/role' }],
  flags: {
    ...connectionFlags,
    ...formatFlag,
    detailed: { kind: 'bool', about: 'Show what else the answer says about each key (VAULT_DETAILED).' },
  },
  takes: { min: 1, max: 1 },
  run: async (call) => {
    const [path = ''] = call.args
    const client = call.session.client()
    const answer = await failing(`Error listing ${path}`, client.list(path, call.session.callOptions()))
    return printListing(call, answer, path, { detailed: call.session.detailed() })
  },
}

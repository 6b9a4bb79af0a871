import { type Command, failing } from '../command.ts'
import { line } from '../output/secret.ts'
import { connectionFlags } from '../session.ts'

export const authMove: Command = {
  name: 'auth move',
  summary: 'Put an auth method at another path',
  args: '[options] SOURCE DESTINATION',
  about: 'Its configuration and roles stay; tokens of its logins end. Clients have to be told the new path.',
  examples: [{ says: 'Another name', run: 'auth move kubernetes cluster-a' }],
  flags: { ...connectionFlags },
  takes: { min: 2, max: 2 },
  run: async (call) => {
    const [from = '', to = ''] = call.args.map((path) => path.replace(/^\/+|\/+$/g, ''))
    const client = call.session.client()
    const moved = client.write('sys/remount', { from: `auth/${from}`, to: `auth/${to}` }, call.session.callOptions())
    const answer = await failing('Error moving auth method', moved)
    line(
      call,
      `Finished moving auth method ${from}/ to ${to}/, with migration ID ${answer?.data?.['migration_id'] ?? ''}`,
    )
    return 0
  },
}

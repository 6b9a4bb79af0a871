import { type Command, failing } from '../command.ts'
import { line } from '../output/secret.ts'
import { connectionFlags } from '../session.ts'

export const secretsMove: Command = {
  name: 'secrets move',
  summary: 'Put a secrets engine at another path',
  args: '[options] SOURCE DESTINATION',
  about:
    'What it stores stays; leases of the old path are revoked. Policies that name the old path have to be changed.',
  examples: [{ says: 'Another name', run: 'secrets move secret team-secret' }],
  flags: { ...connectionFlags },
  takes: { min: 2, max: 2 },
  run: async (call) => {
    const [from = '', to = ''] = call.args.map((path) => path.replace(/^\/+|\/+$/g, ''))
    const client = call.session.client()
    const moved = client.write('sys/remount', { from: from, to: to }, call.session.callOptions())
    const answer = await failing('Error moving secrets engine', moved)
    line(
      call,
      `Finished moving secrets engine ${from}/ to ${to}/, with migration ID ${answer?.data?.['migration_id'] ?? ''}`,
    )
    return 0
  },
}

import { type Command, failing } from '../command.ts'
import { line } from '../output/secret.ts'
import { connectionFlags } from '../session.ts'

export const namespaceDelete: Command = {
  name: 'namespace delete',
  summary: 'Delete a namespace with all that it holds',
  args: '[options] PATH',
  about: 'Its tokens end, what its mounts lent is revoked, its rows are removed. Children must be deleted before.',
  examples: [{ says: 'The child first', run: 'namespace delete -namespace=team app' }],
  flags: { ...connectionFlags },
  takes: { min: 1, max: 1 },
  run: async (call) => {
    const path = (call.args[0] ?? '').replace(/^\/+|\/+$/g, '')
    const client = call.session.client()
    const gone = client.delete(`sys/namespaces/${path}`, undefined, call.session.callOptions())
    await failing('Error deleting namespace', gone)
    line(call, `Success! Namespace deleted at: ${path}/`)
    return 0
  },
}

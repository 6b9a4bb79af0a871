import type { Json } from '../../lib/json/value.ts'
import { type Command, Failure, failing } from '../command.ts'
import { printAnswer } from '../output/secret.ts'
import { connectionFlags, fieldFlag, formatFlag } from '../session.ts'

export const namespacePatch: Command = {
  name: 'namespace patch',
  summary: 'Change the metadata of a namespace',
  args: '[options] PATH',
  examples: [
    {
      says: 'One key is set, another goes',
      run: 'namespace patch -custom-metadata=owner=sre -remove-custom-metadata=cost team',
    },
  ],
  flags: {
    ...connectionFlags,
    ...formatFlag,
    ...fieldFlag,
    'custom-metadata': { kind: 'map', about: 'A key and value of your own, name=value; may be repeated.' },
    'remove-custom-metadata': { kind: 'list', about: 'A key that goes; may be repeated.' },
  },
  takes: { min: 1, max: 1 },
  run: async (call) => {
    const path = (call.args[0] ?? '').replace(/^\/+|\/+$/g, '')
    const gone = call.flags.list('remove-custom-metadata').map((name): [string, Json] => [name, null])
    const metadata = { ...Object.fromEntries(gone), ...call.flags.map('custom-metadata') }
    if (Object.keys(metadata).length === 0) {
      throw new Failure(1, 'Nothing to change: give -custom-metadata or -remove-custom-metadata')
    }
    const client = call.session.client()
    const changed = client.patch(`sys/namespaces/${path}`, { custom_metadata: metadata }, call.session.callOptions())
    const answer = await failing('Error patching namespace', changed)
    return answer ? printAnswer(call, answer) : 0
  },
}

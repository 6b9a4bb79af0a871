import { texts } from '../../sdk/envelope.ts'
import { type Command, Failure, failing } from '../command.ts'
import { line, printSecret } from '../output/secret.ts'
import { tableOf } from '../output/table.ts'
import { connectionFlags, formatFlag } from '../session.ts'

export const namespaceList: Command = {
  name: 'namespace list',
  summary: 'List the namespaces below this one',
  args: '[options]',
  examples: [
    { says: 'The children of root', run: 'namespace list' },
    { says: 'Those of another', run: 'namespace list -namespace=team' },
    { says: 'The whole tree', run: 'namespace list -recursive' },
  ],
  flags: { ...connectionFlags, ...formatFlag, recursive: { kind: 'bool', alias: 'r', about: 'Those below them too.' } },
  takes: { min: 0, max: 0 },
  run: async (call) => {
    const client = call.session.client()
    const query = call.flags.on('recursive') ? { scan: true } : { list: true }
    const asked = client.read('sys/namespaces', query, call.session.callOptions())
    const envelope = await failing('Error listing namespaces', asked)
    if (!envelope?.data) throw new Failure(2, 'No namespaces found')
    if (call.session.format() !== 'table') printSecret(call, envelope)
    else line(call, tableOf([['Keys'], ...texts(envelope.data['keys']).map((key) => [key])]))
    return 0
  },
}

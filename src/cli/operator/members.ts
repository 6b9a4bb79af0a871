import type { Json } from '../../lib/json/value.ts'
import { isObject, text } from '../../sdk/envelope.ts'
import { type Command, failing } from '../command.ts'
import { line, printDocument } from '../output/secret.ts'
import { tableOf } from '../output/table.ts'
import { connectionFlags, formatFlag } from '../session.ts'

const columns = [
  'Host Name',
  'API Address',
  'Cluster Address',
  'Active Node',
  'Version',
  'Upgrade Version',
  'Last Echo',
]

export const operatorMembers: Command = {
  name: 'operator members',
  summary: 'The nodes of the cluster',
  args: '[options]',
  examples: [{ says: 'All of them', run: 'operator members' }],
  flags: { ...connectionFlags, ...formatFlag },
  takes: { min: 0, max: 0 },
  run: async (call) => {
    const answer = await failing('', call.session.read('sys/ha-status'))
    const nodes = answer?.data?.['nodes']
    if (call.session.format() !== 'table') printDocument(call, { nodes: nodes ?? [] })
    else line(call, tableOf([columns, ...(Array.isArray(nodes) ? nodes : []).map(rowOf)]))
    return 0
  },
}

function rowOf(node: Json): string[] {
  const member = (name: string) => (isObject(node) ? node[name] : undefined)
  const active = String(member('active_node') === true)
  return [
    text(member('hostname')),
    text(member('api_address')),
    text(member('cluster_address')),
    active,
    text(member('version')),
    text(member('upgrade_version')),
    text(member('last_echo')),
  ]
}

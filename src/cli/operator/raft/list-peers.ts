import { isObject, text } from '../../../sdk/envelope.ts'
import { type Command, Failure, failing } from '../../command.ts'
import { line, printSecret } from '../../output/secret.ts'
import { tableOf } from '../../output/table.ts'
import { connectionFlags, formatFlag } from '../../session.ts'

export const raftListPeers: Command = {
  name: 'operator raft list-peers',
  summary: 'The peers of a cluster whose storage is raft',
  args: '[options]',
  about:
    'A server with another storage, as this one, says that raft is not in use: "operator members" lists its nodes.',
  examples: [{ says: 'Who is the leader?', run: 'operator raft list-peers' }],
  flags: { ...connectionFlags, ...formatFlag },
  takes: { min: 0, max: 0 },
  run: async (call) => {
    const asked = call.session.read('sys/storage/raft/configuration')
    const answer = await failing('Error reading the raft cluster configuration', asked)
    if (!answer) throw new Failure(2, 'No raft cluster configuration found')
    if (call.session.format() !== 'table') {
      printSecret(call, answer)
      return 0
    }
    const config = isObject(answer.data?.['config']) ? answer.data['config'] : {}
    const servers = Array.isArray(config['servers']) ? config['servers'].filter(isObject) : []
    const rows = servers.map((server) => [
      text(server['node_id']),
      text(server['address']),
      server['leader'] === true ? 'leader' : 'follower',
      String(server['voter'] === true),
    ])
    line(call, tableOf([['Node', 'Address', 'State', 'Voter'], ...rows]))
    return 0
  },
}

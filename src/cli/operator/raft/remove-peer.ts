import { type Command, Failure, failing } from '../../command.ts'
import { line } from '../../output/secret.ts'
import { connectionFlags } from '../../session.ts'

export const raftRemovePeer: Command = {
  name: 'operator raft remove-peer',
  summary: 'Remove a peer from a cluster whose storage is raft',
  args: '[options] SERVER-ID',
  about: 'A server with another storage, as this one, says that raft is not in use: a node that is stopped is gone.',
  examples: [{ says: 'A node that is not coming back', run: 'operator raft remove-peer node1' }],
  flags: { ...connectionFlags },
  takes: { min: 1, max: 1 },
  run: async (call) => {
    const id = (call.args[0] ?? '').trim()
    if (id === '') throw new Failure(1, 'Server id is required')
    const { signal } = call.context
    const asked = call.session.client().write('sys/storage/raft/remove-peer', { server_id: id }, { signal })
    await failing('Error removing the peer from raft cluster', asked)
    line(call, 'Peer removed successfully!')
    return 0
  },
}

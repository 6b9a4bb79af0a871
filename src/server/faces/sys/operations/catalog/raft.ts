/** The raft paths of Vault's own storage, for a server that has another: nodes here need not be told of one another. */

import type { Fields } from '../../../../contracts/fields.ts'
import { type Operation, operation, Refusal, type Route } from '../../../../contracts/request.ts'

const notInUse = () => new Refusal(400, 'raft storage is not in use')

const refused = (input: Fields): Operation =>
  operation({
    input,
    namespaces: 'root',
    effect: 'none',
    handle: async () => {
      throw notInUse()
    },
  })

const serverId = { server_id: { kind: 'string', description: 'A node', default: '' } } as const

/** Names the node first, as Vault asks for it before it looks at its storage. */
const ofServer = (): Operation =>
  operation({
    input: serverId,
    namespaces: 'root',
    effect: 'none',
    handle: async (call) => {
      throw call.input.server_id === '' ? new Refusal(400, 'no server id provided') : notInUse()
    },
  })

const join = operation({
  input: 'free',
  access: 'public',
  sealed: 'allowed',
  namespaces: 'root',
  effect: 'none',
  handle: async () => {
    throw new Refusal(400, 'raft backend not in use')
  },
})

export function raftRoutes(): Route[] {
  const duration = (description: string) => ({ kind: 'duration', description, default: 0 }) as const
  const autopilot = {
    cleanup_dead_servers: { kind: 'bool', description: 'Remove dead servers', default: false },
    last_contact_threshold: duration('Until a server is unhealthy'),
    dead_server_last_contact_threshold: duration('Until a server is dead'),
    max_trailing_logs: { kind: 'int', description: 'How far a healthy server may be behind', default: 0 },
    min_quorum: { kind: 'int', description: 'How many servers remain', default: 0 },
    server_stabilization_time: duration('Until a new server counts'),
  } as const
  return [
    { path: 'storage/raft/configuration', summary: 'Peers of raft: not in use.', on: { read: refused({}) } },
    { path: 'storage/raft/remove-peer', summary: 'Removes a peer of raft: not in use.', on: { update: ofServer() } },
    { path: 'storage/raft/promote', summary: 'Lets a peer of raft vote: not in use.', on: { update: ofServer() } },
    {
      path: 'storage/raft/demote',
      summary: 'Lets a peer of raft vote no more: not in use.',
      on: { update: ofServer() },
    },
    { path: 'storage/raft/join', summary: 'Joins this node to raft: not in use.', on: { update: join } },
    { path: 'storage/raft/autopilot/state', summary: 'State of raft: not in use.', on: { read: refused({}) } },
    {
      path: 'storage/raft/autopilot/configuration',
      summary: 'How raft looks after itself: not in use.',
      on: { read: refused({}), update: refused(autopilot) },
    },
  ]
}

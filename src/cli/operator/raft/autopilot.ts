import { type Command, failing } from '../../command.ts'
import { jsonText } from '../../output/documents.ts'
import { goValue } from '../../output/go-value.ts'
import { line, printDocument, printSecret } from '../../output/secret.ts'
import { tableOf } from '../../output/table.ts'
import { connectionFlags, formatFlag } from '../../session.ts'

const about = 'A server with another storage, as this one, says that raft is not in use.'

export const autopilotState: Command = {
  name: 'operator raft autopilot state',
  summary: 'The health of a cluster whose storage is raft',
  args: '[options]',
  about: `${about} Printed as JSON unless -format says yaml.`,
  examples: [{ says: 'Are all peers healthy?', run: 'operator raft autopilot state' }],
  flags: { ...connectionFlags, ...formatFlag },
  takes: { min: 0, max: 0 },
  run: async (call) => {
    const asked = call.session.read('sys/storage/raft/autopilot/state')
    const answer = await failing('Error checking autopilot state', asked)
    if (!answer?.data) return 0
    if (call.session.format() === 'table') line(call, jsonText(answer.data))
    else printDocument(call, answer.data)
    return 0
  },
}

const members = [
  ['Cleanup Dead Servers', 'cleanup_dead_servers'],
  ['Last Contact Threshold', 'last_contact_threshold'],
  ['Dead Server Last Contact Threshold', 'dead_server_last_contact_threshold'],
  ['Server Stabilization Time', 'server_stabilization_time'],
  ['Min Quorum', 'min_quorum'],
  ['Max Trailing Logs', 'max_trailing_logs'],
] as const

export const autopilotGetConfig: Command = {
  name: 'operator raft autopilot get-config',
  summary: 'How a cluster whose storage is raft looks after itself',
  args: '[options]',
  about,
  examples: [{ says: 'The configuration', run: 'operator raft autopilot get-config' }],
  flags: { ...connectionFlags, ...formatFlag },
  takes: { min: 0, max: 0 },
  run: async (call) => {
    const answer = await failing('', call.session.read('sys/storage/raft/autopilot/configuration'))
    const data = answer?.data
    if (!data) return 0
    if (call.session.format() !== 'table') printDocument(call, data)
    else line(call, tableOf([['Key', 'Value'], ...members.map(([label, name]) => [label, goValue(data[name])])]))
    return 0
  },
}

export const autopilotSetConfig: Command = {
  name: 'operator raft autopilot set-config',
  summary: 'Change how a cluster whose storage is raft looks after itself',
  args: '[options]',
  about,
  examples: [
    {
      says: 'Peers that died are removed',
      run: 'operator raft autopilot set-config -cleanup-dead-servers=true -min-quorum=3',
    },
  ],
  flags: {
    ...connectionFlags,
    ...formatFlag,
    'cleanup-dead-servers': { kind: 'bool', about: 'Whether dead peers are removed.' },
    'last-contact-threshold': { kind: 'duration', about: 'Without contact for this long a peer is unhealthy.' },
    'dead-server-last-contact-threshold': { kind: 'duration', about: 'Without contact for this long it is dead.' },
    'max-trailing-logs': { kind: 'int', about: 'A peer this many entries behind is unhealthy.' },
    'min-quorum': { kind: 'int', about: 'So many peers are never pruned.' },
    'server-stabilization-time': { kind: 'duration', about: 'A new peer must be healthy for this long.' },
  },
  takes: { min: 0, max: 0 },
  run: async (call) => {
    const { flags } = call
    const cleanup = flags.has('cleanup-dead-servers') ? { cleanup_dead_servers: flags.on('cleanup-dead-servers') } : {}
    const numbers = ['max-trailing-logs', 'min-quorum'].flatMap((name) => member(name, flags.int(name)))
    const times = ['last-contact-threshold', 'dead-server-last-contact-threshold', 'server-stabilization-time'].flatMap(
      (name) => member(name, flags.text(name)),
    )
    const body = { ...cleanup, ...Object.fromEntries([...numbers, ...times]) }
    const client = call.session.client()
    const asked = client.write('sys/storage/raft/autopilot/configuration', body, { signal: call.context.signal })
    const answer = await failing('', asked)
    if (answer) printSecret(call, answer)
    return 0
  },
}

const member = <T>(flag: string, value: T | undefined): (readonly [string, T])[] =>
  value === undefined ? [] : [[flag.replaceAll('-', '_'), value]]

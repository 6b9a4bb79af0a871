import { isObject } from '../../../sdk/envelope.ts'
import { type Command, type CommandCall, Failure, failing } from '../../command.ts'
import { readTextArgument } from '../../input/key-values.ts'
import { line, printDocument } from '../../output/secret.ts'
import { tableOf } from '../../output/table.ts'
import { connectionFlags, formatFlag } from '../../session.ts'

export const raftJoin: Command = {
  name: 'operator raft join',
  summary: 'Join the server to a cluster whose storage is raft',
  args: '[options] [LEADER-ADDRESS | AUTO-JOIN-CONFIGURATION]',
  about:
    'A server with another storage, as this one, says that raft is not in use: its nodes are those that share the storage. ' +
    'A certificate or key that begins with @ is read from that file.',
  examples: [{ says: 'By the address of the leader', run: 'operator raft join https://vault-0:8200' }],
  flags: {
    ...connectionFlags,
    ...formatFlag,
    'auto-join-scheme': { kind: 'text', about: 'http or https (default), of addresses that auto-join finds.' },
    'auto-join-port': { kind: 'int', about: 'Port of addresses that auto-join finds. Default 8200.' },
    'leader-ca-cert': { kind: 'text', about: 'CA certificate of the leader, PEM or @file.' },
    'leader-client-cert': { kind: 'text', about: 'Client certificate for the leader, PEM or @file.' },
    'leader-client-key': { kind: 'text', about: 'Its private key: @file.' },
    retry: { kind: 'bool', about: 'Try until it works.' },
    'non-voter': { kind: 'bool', about: 'Join without a vote.' },
  },
  takes: { min: 0, max: 1 },
  run: async (call) => {
    const body = await bodyOf(call)
    const client = call.session.client()
    const { signal } = call.context
    const asked = client.request({ method: 'POST', path: 'sys/storage/raft/join', body, signal })
    const { document } = await failing('Error joining the node to the Raft cluster', asked)
    const joined = isObject(document) && document['joined'] === true
    if (call.session.format() === 'table') {
      line(
        call,
        tableOf([
          ['Key', 'Value'],
          ['Joined', String(joined)],
        ]),
      )
    } else printDocument(call, { joined })
    return 0
  },
}

async function bodyOf({ args, flags, context }: CommandCall) {
  const leader = (args[0] ?? '').trim()
  const scheme = flags.text('auto-join-scheme') ?? 'https'
  if (scheme !== 'http' && scheme !== 'https') {
    throw new Failure(1, `invalid scheme ${JSON.stringify(scheme)}; must either be http or https`)
  }
  const file = async (flag: string) => readTextArgument(flags.text(flag) ?? '', context.stdin)
  const auto = leader.includes('provider=')
  return {
    ...(auto
      ? { auto_join: leader, auto_join_scheme: scheme, auto_join_port: flags.int('auto-join-port') ?? 8200 }
      : { leader_api_addr: leader }),
    leader_ca_cert: await file('leader-ca-cert'),
    leader_client_cert: await file('leader-client-cert'),
    leader_client_key: await file('leader-client-key'),
    retry: flags.on('retry'),
    non_voter: flags.on('non-voter'),
  }
}

import { parseVaultDuration } from '../../lib/duration.ts'
import { type Command, failing } from '../command.ts'
import { printAnswer } from '../output/secret.ts'
import { connectionFlags, fieldFlag, formatFlag } from '../session.ts'

export const leaseRenew: Command = {
  name: 'lease renew',
  summary: 'Prolong the life of a lease',
  args: '[options] ID',
  about: 'Fails when the lease is not renewable, is over, or has reached its maximum.',
  examples: [{ says: 'An hour from now', run: 'lease renew -increment=1h database/creds/readonly/2f6a614c' }],
  flags: {
    ...connectionFlags,
    ...formatFlag,
    ...fieldFlag,
    increment: { kind: 'duration', alias: 'i', about: 'How long from now; the server may give less.' },
  },
  takes: { min: 1, max: 1 },
  run: async (call) => {
    const id = (call.args[0] ?? '').trim()
    const increment = Math.trunc((parseVaultDuration(call.flags.text('increment') ?? '0') ?? 0) / 1000)
    const body = { increment, lease_id: id }
    const renewing = call.session.client().write('sys/leases/renew', body, call.session.callOptions())
    const answer = await failing(`Error renewing ${id}`, renewing)
    return answer ? printAnswer(call, answer) : 0
  },
}

import { type Command, Failure, failing } from '../command.ts'
import { printAnswer } from '../output/secret.ts'
import { connectionFlags, fieldFlag, formatFlag } from '../session.ts'

export const leaseLookup: Command = {
  name: 'lease lookup',
  summary: 'Show a lease: when it was given, when it ends',
  args: '[options] ID',
  examples: [{ says: 'A lease of database credentials', run: 'lease lookup database/creds/readonly/2f6a614c' }],
  flags: { ...connectionFlags, ...formatFlag, ...fieldFlag },
  takes: { min: 1, max: 1 },
  run: async (call) => {
    const id = (call.args[0] ?? '').trim()
    const looking = call.session.client().write('sys/leases/lookup', { lease_id: id }, call.session.callOptions())
    const answer = await failing(`error looking up lease id ${id}`, looking)
    if (!answer) throw new Failure(2, `error looking up lease id ${id}: the server answered nothing`)
    return printAnswer(call, answer)
  },
}

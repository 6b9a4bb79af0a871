import { type Command, failing } from '../command.ts'
import { line } from '../output/secret.ts'
import { connectionFlags } from '../session.ts'

export const policyDelete: Command = {
  name: 'policy delete',
  summary: 'Delete a policy',
  args: '[options] NAME',
  about: 'Tokens that have it lose at once what it allowed.',
  examples: [{ says: 'No longer needed', run: 'policy delete my-app' }],
  flags: connectionFlags,
  takes: { min: 1, max: 1 },
  run: async (call) => {
    const name = (call.args[0] ?? '').trim().toLowerCase()
    const gone = call.session.client().delete(`sys/policies/acl/${name}`, undefined, call.session.callOptions())
    await failing(`Error deleting ${name}`, gone)
    line(call, `Success! Deleted policy: ${name}`)
    return 0
  },
}

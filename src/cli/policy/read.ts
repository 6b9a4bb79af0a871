import { text } from '../../sdk/envelope.ts'
import { type Command, Failure, failing } from '../command.ts'
import { line, printDocument } from '../output/secret.ts'
import { connectionFlags, formatFlag } from '../session.ts'

export const policyRead: Command = {
  name: 'policy read',
  summary: 'Print a policy',
  args: '[options] NAME',
  examples: [{ says: 'What may this policy do?', run: 'policy read my-app' }],
  flags: { ...connectionFlags, ...formatFlag },
  takes: { min: 1, max: 1 },
  run: async (call) => {
    const name = (call.args[0] ?? '').trim().toLowerCase()
    const answer = await failing(`Error reading policy named ${name}`, call.session.read(`sys/policies/acl/${name}`))
    if (!answer?.data) throw new Failure(2, `No policy named: ${name}`)
    const policy = text(answer.data['policy'])
    if (call.session.format() === 'table') line(call, policy.trim())
    else printDocument(call, { policy })
    return 0
  },
}

import { type Command, failing } from '../command.ts'
import { printAnswer } from '../output/secret.ts'
import { connectionFlags, fieldFlag, formatFlag } from '../session.ts'

export const namespaceCreate: Command = {
  name: 'namespace create',
  summary: 'Make a namespace',
  args: '[options] PATH',
  about: 'The path is below the namespace that -namespace names. Its parent must exist.',
  examples: [
    { says: 'One for a team', run: 'namespace create team' },
    { says: 'A child of it', run: 'namespace create -namespace=team app' },
    { says: 'With what you want to know about it', run: 'namespace create -custom-metadata=owner=ops team' },
  ],
  flags: {
    ...connectionFlags,
    ...formatFlag,
    ...fieldFlag,
    'custom-metadata': { kind: 'map', about: 'A key and value of your own, name=value; may be repeated.' },
  },
  takes: { min: 1, max: 1 },
  run: async (call) => {
    const path = (call.args[0] ?? '').replace(/^\/+|\/+$/g, '')
    const given = call.flags.map('custom-metadata')
    const body = Object.keys(given).length > 0 ? { custom_metadata: given } : {}
    const client = call.session.client()
    const made = client.write(`sys/namespaces/${path}`, body, call.session.callOptions())
    const answer = await failing('Error creating namespace', made)
    return answer ? printAnswer(call, answer) : 0
  },
}

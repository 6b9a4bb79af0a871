import { type Command, Failure, failing } from '../command.ts'
import { printAnswer } from '../output/secret.ts'
import { connectionFlags, fieldFlag, formatFlag } from '../session.ts'

export const namespaceLookup: Command = {
  name: 'namespace lookup',
  summary: 'Show a namespace',
  args: '[options] PATH',
  examples: [
    { says: 'Its id, metadata and lock', run: 'namespace lookup team' },
    { says: 'Only the id', run: 'namespace lookup -field=id team' },
  ],
  flags: { ...connectionFlags, ...formatFlag, ...fieldFlag },
  takes: { min: 1, max: 1 },
  run: async (call) => {
    const path = (call.args[0] ?? '').replace(/^\/+|\/+$/g, '')
    const answer = await failing('Error looking up namespace', call.session.read(`sys/namespaces/${path}`))
    if (!answer) throw new Failure(2, `Namespace not found: ${path}`)
    return printAnswer(call, answer)
  },
}

import { type Command, Failure, failing } from '../command.ts'
import { readKeyValues } from '../input/key-values.ts'
import { line, printAnswer } from '../output/secret.ts'
import { connectionFlags, fieldFlag, formatFlag } from '../session.ts'

export const patch: Command = {
  name: 'patch',
  summary: 'Change some members at a path, leave the others',
  args: '[options] PATH [KEY=VALUE...]',
  about: 'Sends a JSON merge patch. For KV version 2 secrets "kv patch" is easier.',
  examples: [{ says: 'One limit of a namespace’s metadata', run: 'patch sys/namespaces/team @change.json' }],
  flags: {
    ...connectionFlags,
    ...formatFlag,
    ...fieldFlag,
    force: { kind: 'bool', alias: 'f', about: 'Go on without data.' },
  },
  takes: { min: 1 },
  run: async (call) => {
    const [path = '', ...pairs] = call.args
    if (pairs.length === 0 && !call.flags.on('force')) throw new Failure(1, 'Must supply data or use -force')
    const data = await readKeyValues(pairs, call.context.stdin)
    const client = call.session.client()
    const answer = await failing(`Error patching data at ${path}`, client.patch(path, data, call.session.callOptions()))
    if (answer) return printAnswer(call, answer)
    if (call.session.format() === 'table' && !call.flags.has('field')) line(call, `Success! Data written to: ${path}`)
    return 0
  },
}

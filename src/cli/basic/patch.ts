import { type Command, Failure } from '../command.ts'
import { readKeyValues } from '../input/key-values.ts'
import { changed } from '../output/response.ts'
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
    const asked = call.session.client().request({ ...call.session.callOptions(), method: 'PATCH', path, body: data })
    const answer = await changed(call, `Error patching data at ${path}`, asked)
    if (answer) return printAnswer(call, answer)
    if (call.session.format() === 'table' && !call.flags.has('field')) line(call, `Success! Data written to: ${path}`)
    return 0
  },
}

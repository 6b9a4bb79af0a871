import { type Command, failing } from '../command.ts'
import { readKeyValues } from '../input/key-values.ts'
import { goValue } from '../output/go-value.ts'
import { line, printAnswer } from '../output/secret.ts'
import { connectionFlags, fieldFlag, formatFlag } from '../session.ts'

export const remove: Command = {
  name: 'delete',
  summary: 'Delete what is at a path',
  args: '[options] PATH [KEY=VALUE...]',
  examples: [{ says: 'A role', run: 'delete auth/kubernetes/role/app' }],
  flags: { ...connectionFlags, ...formatFlag, ...fieldFlag },
  takes: { min: 1 },
  run: async (call) => {
    const [path = '', ...pairs] = call.args
    const data = Object.entries(await readKeyValues(pairs, call.context.stdin))
    const query = Object.fromEntries(data.map(([key, value]) => [key, goValue(value)]))
    const client = call.session.client()
    const answer = await failing(`Error deleting ${path}`, client.delete(path, query, call.session.callOptions()))
    if (answer) return printAnswer(call, answer)
    if (call.session.format() === 'table') line(call, `Success! Data deleted (if it existed) at: ${path}`)
    return 0
  },
}

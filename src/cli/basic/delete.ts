import type { Command } from '../command.ts'
import { readKeyValues } from '../input/key-values.ts'
import { goValue } from '../output/go-value.ts'
import { changed } from '../output/response.ts'
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
    const asked = call.session.client().request({ ...call.session.callOptions(), method: 'DELETE', path, query })
    const answer = await changed(call, `Error deleting ${path}`, asked)
    if (answer) return printAnswer(call, answer)
    if (call.session.format() === 'table') line(call, `Success! Data deleted (if it existed) at: ${path}`)
    return 0
  },
}

import { presentOrAbsent } from '../../sdk/client.ts'
import { type Command, type CommandCall, Failure, failing } from '../command.ts'
import { readKeyValues } from '../input/key-values.ts'
import { goValue } from '../output/go-value.ts'
import { answerOf } from '../output/response.ts'
import { printAnswer } from '../output/secret.ts'
import { connectionFlags, fieldFlag, formatFlag } from '../session.ts'

export const read: Command = {
  name: 'read',
  summary: 'Read data at a path',
  args: '[options] PATH [KEY=VALUE...]',
  about: 'The path is that of the API, without /v1/: a KV version 2 secret is at <mount>/data/<name>.',
  examples: [
    { says: 'Who am I?', run: 'read auth/token/lookup-self' },
    { says: 'An answer that is not JSON', run: 'read -format=raw sys/metrics format=prometheus' },
    { says: 'One member of the answer', run: 'read -field=display_name auth/token/lookup-self' },
  ],
  flags: { ...connectionFlags, ...formatFlag, ...fieldFlag },
  takes: { min: 1 },
  raw: true,
  run: async (call) => {
    const [path = '', ...pairs] = call.args
    const query = Object.entries(await readKeyValues(pairs, call.context.stdin))
    const parameters = Object.fromEntries(query.map(([key, value]) => [key, goValue(value)]))
    if (call.session.raw() && !call.flags.has('field')) return printBody(call, path, parameters)
    const request = { ...call.session.callOptions(), method: 'GET', path, query: parameters } as const
    const asked = presentOrAbsent(call.session.client().request(request))
    const answer = answerOf(await failing(`Error reading ${path}`, asked))
    if (!answer) throw new Failure(2, `No value found at ${path}`)
    return printAnswer(call, answer)
  },
}

/** As the server sent it, with its newline or without. */
async function printBody(call: CommandCall, path: string, query: Record<string, string>): Promise<number> {
  const { wrapTtl, signal } = call.session.callOptions()
  const asked = call.session.client().request({ method: 'GET', path, query, signal, ...(wrapTtl && { wrapTtl }) })
  const { body } = await failing(`Error reading ${path}`, asked)
  call.context.stdout.write(body)
  return 0
}

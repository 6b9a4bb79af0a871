import { isObject } from '../../sdk/envelope.ts'
import { type Command, Failure, failing } from '../command.ts'
import { line, printDocument } from '../output/secret.ts'
import { connectionFlags, formatFlag } from '../session.ts'

export const pathHelp: Command = {
  name: 'path-help',
  summary: 'What a path of the API is for, and what it takes',
  args: '[options] PATH',
  examples: [
    { says: 'The configuration of a KV mount', run: 'path-help secret/config' },
    { says: 'As OpenAPI', run: 'path-help -format=json sys/mounts/x' },
  ],
  flags: { ...connectionFlags, ...formatFlag },
  takes: { min: 1, max: 1 },
  run: async (call) => {
    const path = (call.args[0] ?? '').replace(/^\/+/, '')
    const client = call.session.client()
    const { signal } = call.session.callOptions()
    const asked = client.request({ signal, method: 'GET', path, query: { help: '1' } })
    const { document } = await failing('Error retrieving help', asked)
    const help = isObject(document) ? document['help'] : undefined
    if (typeof help !== 'string') throw new Failure(2, `No help for ${path}`)
    if (call.session.format() === 'table') line(call, help.trimEnd())
    else printDocument(call, document ?? null)
    return 0
  },
}

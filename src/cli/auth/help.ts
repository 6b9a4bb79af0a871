import { isObject } from '../../sdk/envelope.ts'
import { type Command, Failure, failing } from '../command.ts'
import { line } from '../output/secret.ts'
import { connectionFlags } from '../session.ts'

export const authHelp: Command = {
  name: 'auth help',
  summary: 'What an auth method that is enabled here takes to log in',
  args: '[options] PATH',
  examples: [{ says: 'How does one log in at kubernetes/?', run: 'auth help kubernetes' }],
  flags: { ...connectionFlags },
  takes: { min: 1, max: 1 },
  run: async (call) => {
    const path = (call.args[0] ?? '').replace(/^\/+|\/+$/g, '')
    const client = call.session.client()
    const { signal } = call.session.callOptions()
    const asked = client.request({ signal, method: 'GET', path: `auth/${path}/login`, query: { help: '1' } })
    const { document } = await failing('Error retrieving help', asked)
    const help = isObject(document) ? document['help'] : undefined
    if (typeof help !== 'string') throw new Failure(2, `No auth method with a login at: ${path}/`)
    line(call, help.trimEnd())
    return 0
  },
}

import { openSubscription } from '../../sdk/events.ts'
import { type Command, type CommandCall, failing } from '../command.ts'
import { line } from '../output/secret.ts'
import { connectionFlags } from '../session.ts'

export const eventsSubscribe: Command = {
  name: 'events subscribe',
  summary: 'Print notices of changes as they happen, one JSON document a line',
  args: '[options] EVENT_TYPE',
  about:
    'EVENT_TYPE is "kv-v2/data-write" or a pattern with *. Notices name paths and versions, never values, and only what the ' +
    'token may see. Ends when the connection does: whoever needs every change reads again after that.',
  examples: [{ says: 'All changes of key/value secrets', run: "events subscribe 'kv-v2/*'" }],
  flags: { ...connectionFlags },
  takes: { min: 1, max: 1 },
  run: async (call) => {
    const [type = ''] = call.args
    return failing(`Error subscribing to ${type}`, printEvents(call, type))
  },
}

async function printEvents(call: CommandCall, type: string): Promise<number> {
  const { signal } = call.context
  const namespace = call.session.namespace()
  const messages = await openSubscription({
    connect: call.session.connectSocket(),
    token: call.session.token() ?? '',
    type,
    signal,
    ...(namespace !== undefined && { namespace }),
  })
  for await (const message of messages) line(call, message.trimEnd())
  if (!signal.aborted) throw new Error('the server closed the connection')
  return 0
}

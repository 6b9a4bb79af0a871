import { openSubscription } from '../../sdk/events.ts'
import { type Command, type CommandCall, Failure, failing } from '../command.ts'
import { line } from '../output/secret.ts'
import { connectionFlags } from '../session.ts'
import { noticeFilter } from './notice-filter.ts'

export const eventsSubscribe: Command = {
  name: 'events subscribe',
  summary: 'Print notices of changes as they happen, one JSON document a line',
  args: '[options] EVENT_TYPE',
  about:
    'EVENT_TYPE is "kv-v2/data-write" or a pattern with *. Notices name paths and versions, never values, and only what the ' +
    'token may see. A filter may ask event_type, operation, source_plugin_mount, data_path and namespace. Ends when the connection ' +
    'does: whoever needs every change reads again after that.',
  examples: [
    { says: 'All changes of key/value secrets', run: "events subscribe 'kv-v2/*'" },
    {
      says: 'Of one secret, here and in a namespace below',
      run: "events subscribe -namespaces=team -filter='data_path == secret/data/app' 'kv*'",
    },
  ],
  flags: {
    ...connectionFlags,
    filter: { kind: 'text', about: 'Only notices for which this holds: \'data_path contains "app"\'.' },
    namespaces: { kind: 'list', about: 'Also of this namespace below; may be repeated.' },
    timeout: { kind: 'duration', about: 'End after this time, with 0.' },
  },
  takes: { min: 1, max: 1 },
  run: async (call) => {
    const [type = ''] = call.args
    const filter = call.flags.text('filter')
    const wanted = filter === undefined || filter === '' ? () => true : noticeFilter(filter)
    const namespaces = namespacesOf(call)
    const end = new AbortController()
    const { clock, signal } = call.context
    const timeoutMs = call.flags.durationMs('timeout')
    if (timeoutMs) clock.sleep(timeoutMs, end.signal).then(stop, () => undefined)
    function stop() {
      end.abort(new Error('the subscription ends'))
    }
    const until = AbortSignal.any([signal, end.signal])
    try {
      const printing = namespaces.map((namespace) => printEvents(call, { type, namespace, wanted, until }))
      return await failing(
        `Error subscribing to ${type}`,
        Promise.all(printing).then(() => 0),
      )
    } finally {
      stop()
    }
  },
}

/** The request's own, and those that -namespaces names below it. */
function namespacesOf(call: CommandCall): (string | undefined)[] {
  const own = call.session.namespace()
  const base = (own ?? '').replace(/^\/+|\/+$/g, '')
  const below = call.flags.list('namespaces').flatMap((list) => list.split(','))
  const pattern = below.find((name) => name.includes('*'))
  if (pattern !== undefined) {
    throw new Failure(1, `-namespaces=${pattern}: name each namespace, patterns are not supported`)
  }
  const names = below.map((name) => name.replace(/^\/+|\/+$/g, '')).filter((name) => name !== '')
  return [own, ...new Set(names.map((name) => (base === '' ? name : `${base}/${name}`)))]
}

interface Wanted {
  readonly type: string
  readonly namespace: string | undefined
  readonly wanted: (message: string) => boolean
  readonly until: AbortSignal
}

async function printEvents(call: CommandCall, { type, namespace, wanted, until }: Wanted): Promise<void> {
  try {
    const messages = await openSubscription({
      connect: call.session.connectSocket(),
      token: call.session.token() ?? '',
      type,
      signal: until,
      ...(namespace !== undefined && { namespace }),
    })
    for await (const message of messages) if (wanted(message)) line(call, message.trimEnd())
  } catch (error) {
    // Interrupting, like the end of the time, is how it is meant to end.
    if (!until.aborted) throw error
  }
  if (!until.aborted) throw new Error('the server closed the connection')
}

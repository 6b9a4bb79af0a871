import { text } from '../../sdk/envelope.ts'
import { type Command, Failure, failing } from '../command.ts'
import { line } from '../output/secret.ts'
import { connectionFlags } from '../session.ts'

export const pluginReload: Command = {
  name: 'plugin reload',
  summary: 'Make mounts anew in the server that answers',
  args: '[options]',
  examples: [
    { says: 'All mounts of an engine', run: 'plugin reload -plugin=kv' },
    { says: 'One mount', run: 'plugin reload -mounts=secret/' },
  ],
  flags: {
    ...connectionFlags,
    plugin: { kind: 'text', about: 'The engine or auth method whose mounts are made anew.' },
    mounts: { kind: 'list', about: 'Paths of mounts, with commas or repeated.' },
    scope: { kind: 'text', about: 'global: on all nodes, where the server can; default the one that answers.' },
  },
  takes: { min: 0, max: 0 },
  run: async (call) => {
    const plugin = call.flags.text('plugin') ?? ''
    const mounts = call.flags.list('mounts').flatMap((list) => list.split(','))
    const scope = call.flags.text('scope') ?? ''
    if (plugin === '' && mounts.length === 0) throw new Failure(1, 'Not enough arguments: give -plugin or -mounts')
    if (plugin !== '' && mounts.length > 0) throw new Failure(1, 'Too many arguments: give -plugin or -mounts')
    if (scope !== '' && scope !== 'global') throw new Failure(1, `Invalid reload scope: ${scope}`)
    const body = {
      ...(plugin === '' ? { mounts } : { plugin }),
      ...(scope !== '' && { scope }),
    }
    const { signal } = call.context
    const asked = call.session.client().write('sys/plugins/reload/backend', body, { signal })
    const answer = await failing('Error reloading plugin/mounts', asked)
    const id = text(answer?.data?.['reload_id'])
    const what = plugin === '' ? `mounts: [${mounts.join(' ')}]` : `plugin: ${plugin}`
    line(call, id === '' ? `Success! Reloaded ${what}` : `Success! Reloading ${what}, reload_id: ${id}`)
    return 0
  },
}

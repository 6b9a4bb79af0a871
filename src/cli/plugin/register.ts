import { type Command, Failure, failing } from '../command.ts'
import { line } from '../output/secret.ts'
import { connectionFlags } from '../session.ts'
import { pluginNamed } from './plugin-arguments.ts'

const about =
  'A Coffer server refuses: it runs only what it was built with, so nobody who may write to it can have it run another program.'

export const pluginRegister: Command = {
  name: 'plugin register',
  summary: 'Add a plugin to the catalog of a Vault or OpenBao server',
  args: '[options] TYPE NAME',
  about,
  examples: [{ says: 'A program of the plugin directory', run: 'plugin register -sha256=d3f0a8b auth my-plugin' }],
  flags: {
    ...connectionFlags,
    args: { kind: 'list', about: 'Arguments of the plugin, with commas or repeated.' },
    command: { kind: 'text', about: 'The program; default NAME.' },
    env: { kind: 'list', about: 'Environment of the plugin, key=value; may be repeated.' },
    sha256: { kind: 'text', about: 'SHA-256 of the program.' },
    version: { kind: 'text', about: 'Its version.' },
  },
  takes: { min: 1, max: 2 },
  run: async (call) => {
    const { flags } = call
    const sha256 = flags.text('sha256')
    if (!sha256) throw new Failure(1, 'SHA256 is required for all plugins, please provide -sha256')
    const { type, name, path } = pluginNamed(call)
    const args = flags.list('args').flatMap((list) => list.split(','))
    const version = flags.text('version')
    const body = {
      type,
      command: flags.text('command') ?? name,
      sha256,
      ...(args.length > 0 && { args }),
      ...(flags.has('env') && { env: [...flags.list('env')] }),
      ...(version !== undefined && { version }),
    }
    const asked = call.session.client().write(path, body, { signal: call.context.signal })
    await failing(`Error registering plugin ${name}`, asked)
    line(call, `Success! Registered plugin: ${name}`)
    return 0
  },
}

export const pluginDeregister: Command = {
  name: 'plugin deregister',
  summary: 'Take a plugin out of the catalog of a Vault or OpenBao server',
  args: '[options] TYPE NAME',
  about,
  examples: [{ says: 'One that is not used any more', run: 'plugin deregister auth my-plugin' }],
  flags: { ...connectionFlags, version: { kind: 'text', about: 'This version of it.' } },
  takes: { min: 1, max: 2 },
  run: async (call) => {
    const { name, path } = pluginNamed(call)
    const version = call.flags.text('version')
    const { signal } = call.context
    const asked = call.session.client().delete(path, version === undefined ? undefined : { version }, { signal })
    await failing(`Error deregistering plugin named ${name}`, asked)
    line(call, `Success! Deregistered plugin (if it was registered): ${name}`)
    return 0
  },
}

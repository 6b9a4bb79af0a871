import { type Command, failing } from '../command.ts'
import { readKeyValues } from '../input/key-values.ts'
import { line } from '../output/secret.ts'
import { connectionFlags } from '../session.ts'

export const auditEnable: Command = {
  name: 'audit enable',
  summary: 'Enable an audit device',
  args: '[options] TYPE [KEY=VALUE...]',
  about: 'From then on a request whose audit line cannot be written is refused.',
  examples: [{ says: 'Into a file', run: 'audit enable file file_path=/var/log/coffer/audit.log' }],
  flags: {
    ...connectionFlags,
    path: { kind: 'text', about: 'Where it is enabled; default: its type.' },
    description: { kind: 'text', about: 'Text for people.' },
    local: { kind: 'bool', about: 'Not replicated.' },
  },
  takes: { min: 1 },
  run: async (call) => {
    const [type = '', ...pairs] = call.args
    const options = await readKeyValues(pairs, call.context.stdin)
    const path = (call.flags.text('path') ?? type).replace(/^\/+|\/+$/g, '')
    const body = { type, description: call.flags.text('description') ?? '', local: call.flags.on('local'), options }
    const enabled = call.session.client().write(`sys/audit/${path}`, body, call.session.callOptions())
    await failing('Error enabling audit device', enabled)
    line(call, `Success! Enabled the ${type} audit device at: ${path}/`)
    return 0
  },
}

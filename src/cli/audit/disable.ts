import { type Command, failing } from '../command.ts'
import { line } from '../output/secret.ts'
import { connectionFlags } from '../session.ts'

export const auditDisable: Command = {
  name: 'audit disable',
  summary: 'Disable an audit device',
  args: '[options] PATH',
  examples: [{ says: 'The device at file/', run: 'audit disable file/' }],
  flags: connectionFlags,
  takes: { min: 1, max: 1 },
  run: async (call) => {
    const path = (call.args[0] ?? '').replace(/^\/+|\/+$/g, '')
    const gone = call.session.client().delete(`sys/audit/${path}`, undefined, call.session.callOptions())
    await failing('Error disabling audit device', gone)
    line(call, `Success! Disabled audit device (if it was enabled) at: ${path}/`)
    return 0
  },
}

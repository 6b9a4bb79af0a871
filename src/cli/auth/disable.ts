import { type Command, failing } from '../command.ts'
import { line } from '../output/secret.ts'
import { connectionFlags } from '../session.ts'

export const authDisable: Command = {
  name: 'auth disable',
  summary: 'Disable an auth method and revoke its tokens',
  args: '[options] PATH',
  examples: [{ says: 'The method at auth/old/', run: 'auth disable old' }],
  flags: connectionFlags,
  takes: { min: 1, max: 1 },
  run: async (call) => {
    const path = (call.args[0] ?? '').replace(/^\/+|\/+$/g, '')
    const gone = call.session.client().delete(`sys/auth/${path}`, undefined, call.session.callOptions())
    await failing(`Error disabling auth method at ${path}/`, gone)
    line(call, `Success! Disabled the auth method (if it existed) at: ${path}/`)
    return 0
  },
}

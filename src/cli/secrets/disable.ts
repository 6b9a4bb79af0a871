import { type Command, failing } from '../command.ts'
import { line } from '../output/secret.ts'
import { connectionFlags } from '../session.ts'

export const secretsDisable: Command = {
  name: 'secrets disable',
  summary: 'Disable a secrets engine and delete all that it keeps',
  args: '[options] PATH',
  about: 'Its leases are revoked and its data is gone for good.',
  examples: [{ says: 'The engine at old/', run: 'secrets disable old/' }],
  flags: connectionFlags,
  takes: { min: 1, max: 1 },
  run: async (call) => {
    const path = (call.args[0] ?? '').replace(/^\/+|\/+$/g, '')
    const gone = call.session.client().delete(`sys/mounts/${path}`, undefined, call.session.callOptions())
    await failing(`Error disabling secrets engine at ${path}/`, gone)
    line(call, `Success! Disabled the secrets engine (if it existed) at: ${path}/`)
    return 0
  },
}

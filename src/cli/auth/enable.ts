import { type Command, failing } from '../command.ts'
import { mountBody, mountFlags } from '../mount-flags.ts'
import { line } from '../output/secret.ts'
import { connectionFlags } from '../session.ts'

export const authEnable: Command = {
  name: 'auth enable',
  summary: 'Enable an auth method',
  args: '[options] TYPE',
  examples: [{ says: 'Logins of pods, at auth/kubernetes/', run: 'auth enable kubernetes' }],
  flags: { ...connectionFlags, ...mountFlags },
  takes: { min: 1, max: 1 },
  run: async (call) => {
    const type = (call.args[0] ?? '').trim()
    const path = (call.flags.text('path') ?? type).replace(/^\/+|\/+$/g, '')
    const enabled = call.session
      .client()
      .write(`sys/auth/${path}`, mountBody(type, call.flags), call.session.callOptions())
    await failing(`Error enabling ${type} auth`, enabled)
    line(call, `Success! Enabled ${type} auth method at: ${path}/`)
    return 0
  },
}

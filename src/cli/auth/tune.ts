import { type Command, failing } from '../command.ts'
import { tuneBody, tuneFlags } from '../mount-flags.ts'
import { line } from '../output/secret.ts'
import { connectionFlags } from '../session.ts'

export const authTune: Command = {
  name: 'auth tune',
  summary: 'Change limits, options or description of an auth method',
  args: '[options] PATH',
  about: 'Only what is given changes. A duration of "system" goes back to the default of the server.',
  examples: [
    { says: 'Shorter lives', run: 'auth tune -default-lease-ttl=1h -max-lease-ttl=24h kubernetes' },
    { says: 'Logins get batch tokens', run: 'auth tune -token-type=batch kubernetes' },
  ],
  flags: { ...connectionFlags, ...tuneFlags },
  takes: { min: 1, max: 1 },
  run: async (call) => {
    const path = (call.args[0] ?? '').replace(/^\/+|\/+$/g, '')
    const client = call.session.client()
    const tuned = client.write(`sys/auth/${path}/tune`, tuneBody(call.flags), call.session.callOptions())
    await failing(`Error tuning auth method ${path}`, tuned)
    line(call, `Success! Tuned the auth method at: ${path}/`)
    return 0
  },
}

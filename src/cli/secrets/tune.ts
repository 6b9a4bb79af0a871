import { type Command, failing } from '../command.ts'
import { tuneBody, tuneFlags } from '../mount-flags.ts'
import { line } from '../output/secret.ts'
import { connectionFlags } from '../session.ts'

export const secretsTune: Command = {
  name: 'secrets tune',
  summary: 'Change limits, options or description of a secrets engine',
  args: '[options] PATH',
  about: 'Only what is given changes. A duration of "system" goes back to the default of the server.',
  examples: [
    { says: 'Shorter lives', run: 'secrets tune -default-lease-ttl=1h -max-lease-ttl=24h secret' },
    { says: 'Key/value version 1 becomes version 2', run: 'secrets tune -version=2 secret' },
  ],
  flags: { ...connectionFlags, ...tuneFlags },
  takes: { min: 1, max: 1 },
  run: async (call) => {
    const path = (call.args[0] ?? '').replace(/^\/+|\/+$/g, '')
    const client = call.session.client()
    const tuned = client.write(`sys/mounts/${path}/tune`, tuneBody(call.flags), call.session.callOptions())
    await failing(`Error tuning secrets engine ${path}`, tuned)
    line(call, `Success! Tuned the secrets engine at: ${path}/`)
    return 0
  },
}

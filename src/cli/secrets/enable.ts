import type { Command } from '../command.ts'
import { failing } from '../command.ts'
import { mountBody, mountFlags } from '../mount-flags.ts'
import { line } from '../output/secret.ts'
import { connectionFlags } from '../session.ts'

export const secretsEnable: Command = {
  name: 'secrets enable',
  summary: 'Enable a secrets engine',
  args: '[options] TYPE',
  examples: [
    { says: 'Key/value secrets with versions at secret/', run: 'secrets enable -path=secret kv-v2' },
    { says: 'The same', run: 'secrets enable -path=secret -version=2 kv' },
  ],
  flags: { ...connectionFlags, ...mountFlags },
  takes: { min: 1, max: 1 },
  run: async (call) => {
    const type = (call.args[0] ?? '').trim()
    const path = (call.flags.text('path') ?? type).replace(/^\/+|\/+$/g, '')
    const enabled = call.session
      .client()
      .write(`sys/mounts/${path}`, mountBody(type, call.flags), call.session.callOptions())
    await failing('Error enabling', enabled)
    line(call, `Success! Enabled the ${type} secrets engine at: ${path}/`)
    return 0
  },
}

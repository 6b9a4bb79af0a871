import { type Command, failing } from '../command.ts'
import { line } from '../output/secret.ts'
import { connectionFlags } from '../session.ts'

export const operatorSeal: Command = {
  name: 'operator seal',
  summary: 'Seal the server: it forgets its keys and serves nothing',
  args: '[options]',
  examples: [{ says: 'In an emergency', run: 'operator seal' }],
  flags: connectionFlags,
  takes: { min: 0, max: 0 },
  run: async (call) => {
    const sealed = call.session.client().request({ method: 'PUT', path: 'sys/seal', signal: call.context.signal })
    await failing('Error sealing', sealed)
    line(call, 'Success! Vault is sealed.')
    return 0
  },
}

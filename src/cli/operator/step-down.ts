import { shownAddress } from '../../lib/shown-address.ts'
import { type Command, failing } from '../command.ts'
import { line } from '../output/secret.ts'
import { connectionFlags } from '../session.ts'

export const operatorStepDown: Command = {
  name: 'operator step-down',
  summary: 'This node gives up the housekeeping, for another to take it',
  args: '[options]',
  examples: [{ says: 'Before maintenance', run: 'operator step-down' }],
  flags: connectionFlags,
  takes: { min: 0, max: 0 },
  run: async (call) => {
    const { signal } = call.context
    const asked = call.session.client().request({ method: 'PUT', path: 'sys/step-down', signal })
    await failing('Error stepping down', asked)
    line(call, `Success! Stepped down: ${shownAddress(call.session.address())}`)
    return 0
  },
}

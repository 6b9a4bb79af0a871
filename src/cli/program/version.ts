import type { Command } from '../command.ts'
import { line } from '../output/secret.ts'

export const version: Command = {
  name: 'version',
  summary: 'Print the version',
  args: '',
  examples: [{ says: 'Which one is this?', run: 'version' }],
  flags: {},
  takes: { min: 0, max: 0 },
  run: async (call) => {
    line(call, `Coffer v${call.context.version}`)
    return 0
  },
}

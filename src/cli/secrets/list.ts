import { type Command, failing } from '../command.ts'
import { detailedColumns, printMounts, simpleColumns } from '../output/mount-table.ts'
import { connectionFlags, formatFlag } from '../session.ts'

export const secretsList: Command = {
  name: 'secrets list',
  summary: 'List the secrets engines',
  args: '[options]',
  examples: [{ says: 'What is mounted where?', run: 'secrets list' }],
  flags: { ...connectionFlags, ...formatFlag, detailed: { kind: 'bool', about: 'More columns.' } },
  takes: { min: 0, max: 0 },
  run: async (call) => {
    const answer = await failing('Error listing secrets engines', call.session.read('sys/mounts'))
    printMounts(call, answer?.data ?? {}, call.flags.on('detailed') ? detailedColumns : simpleColumns)
    return 0
  },
}

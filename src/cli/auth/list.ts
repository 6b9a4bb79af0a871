import { text } from '../../sdk/envelope.ts'
import { type Command, failing } from '../command.ts'
import { detailedColumns, printMounts, simpleColumns } from '../output/mount-table.ts'
import { connectionFlags, formatFlag } from '../session.ts'

export const authList: Command = {
  name: 'auth list',
  summary: 'List the auth methods',
  args: '[options]',
  examples: [{ says: 'How can one log in?', run: 'auth list' }],
  flags: { ...connectionFlags, ...formatFlag, detailed: { kind: 'bool', about: 'More columns.' } },
  takes: { min: 0, max: 0 },
  run: async (call) => {
    const answer = await failing('Error listing enabled authentications', call.session.read('sys/auth'))
    const columns = call.flags.on('detailed')
      ? detailedColumns
      : [...simpleColumns, ['Version', (mount: object) => versionOf(mount)] as const]
    printMounts(call, answer?.data ?? {}, columns)
    return 0
  },
}

const versionOf = (mount: object) => ('plugin_version' in mount ? text(String(mount.plugin_version)) : '')

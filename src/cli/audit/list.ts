import { text } from '../../sdk/envelope.ts'
import { type Command, Failure, failing } from '../command.ts'
import { goValue } from '../output/go-value.ts'
import { type Column, printMounts } from '../output/mount-table.ts'
import { connectionFlags, formatFlag } from '../session.ts'

const columns: readonly Column[] = [
  ['Type', (device) => text(device['type'])],
  ['Description', (device) => text(device['description'])],
]
const detailed: readonly Column[] = [...columns, ['Options', (device) => goValue(device['options'])]]

export const auditList: Command = {
  name: 'audit list',
  summary: 'List the audit devices',
  args: '[options]',
  examples: [{ says: 'With their options', run: 'audit list -detailed' }],
  flags: { ...connectionFlags, ...formatFlag, detailed: { kind: 'bool', about: 'More columns.' } },
  takes: { min: 0, max: 0 },
  run: async (call) => {
    const answer = await failing('Error listing audits', call.session.read('sys/audit'))
    const devices = answer?.data ?? {}
    if (Object.keys(devices).length === 0 && call.session.format() === 'table') {
      throw new Failure(2, 'No audit devices are enabled.')
    }
    printMounts(call, devices, call.flags.on('detailed') ? detailed : columns)
    return 0
  },
}

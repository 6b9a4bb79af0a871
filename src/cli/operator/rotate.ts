import type { JsonObject } from '../../lib/json/value.ts'
import { text } from '../../sdk/envelope.ts'
import { type Command, type CommandCall, failing } from '../command.ts'
import { line, printDocument } from '../output/secret.ts'
import { columnsOf } from '../output/table.ts'
import { connectionFlags, formatFlag } from '../session.ts'

export const operatorRotate: Command = {
  name: 'operator rotate',
  summary: 'A new encryption key for what is written from now on',
  args: '[options]',
  about: 'Unseal keys stay as they are, and what was written before stays readable.',
  examples: [{ says: 'Now', run: 'operator rotate' }],
  flags: { ...connectionFlags, ...formatFlag },
  takes: { min: 0, max: 0 },
  run: async (call) => {
    const { signal } = call.context
    await failing('Error rotating key', call.session.client().request({ method: 'PUT', path: 'sys/rotate', signal }))
    if (call.session.format() === 'table') line(call, 'Success! Rotated key\n')
    return showKeyStatus(call)
  },
}

export const operatorKeyStatus: Command = {
  name: 'operator key-status',
  summary: 'The encryption key in use',
  args: '[options]',
  examples: [{ says: 'Its term and age', run: 'operator key-status' }],
  flags: { ...connectionFlags, ...formatFlag },
  takes: { min: 0, max: 0 },
  run: showKeyStatus,
}

async function showKeyStatus(call: CommandCall): Promise<number> {
  const answer = await failing('Error reading key status', call.session.read('sys/key-status'))
  const { term, install_time: installed, encryptions } = answer?.data ?? {}
  const status: JsonObject = { term: term ?? 0, install_time: installed ?? '', encryptions: encryptions ?? 0 }
  if (call.session.format() !== 'table') {
    printDocument(call, status)
    return 0
  }
  const rows = [
    ['Key Term', String(status['term'])],
    ['Install Time', goDate(text(status['install_time']))],
    ['Encryption Count', String(status['encryptions'])],
  ]
  line(call, columnsOf(rows))
  return 0
}

/** "02 Jan 06 15:04 UTC" */
function goDate(rfc3339: string): string {
  const [, year = '', month = '1', day = '', time = ''] = /^\d\d(\d\d)-(\d\d)-(\d\d)T(\d\d:\d\d)/.exec(rfc3339) ?? []
  const names = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
  return year === '' ? rfc3339 : `${day} ${names[Number(month) - 1] ?? ''} ${year} ${time} UTC`
}

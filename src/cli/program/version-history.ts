import { isObject, texts } from '../../sdk/envelope.ts'
import { type Command, Failure, failing } from '../command.ts'
import { line, printDocument } from '../output/secret.ts'
import { tableOf } from '../output/table.ts'
import { connectionFlags, formatFlag } from '../session.ts'

export const versionHistory: Command = {
  name: 'version-history',
  summary: 'Which versions of the server this storage has seen',
  args: '[options]',
  examples: [{ says: 'Since when does which version run?', run: 'version-history' }],
  flags: { ...connectionFlags, ...formatFlag },
  takes: { min: 0, max: 0 },
  run: async (call) => {
    const listed = call.session.client().list('sys/version-history', call.session.callOptions())
    const answer = await failing('Error reading version history', listed)
    if (!answer?.data) throw new Failure(2, 'Invalid response returned from the server')
    if (call.session.format() !== 'table') {
      printDocument(call, answer.data)
      return 0
    }
    const info = isObject(answer.data['key_info']) ? answer.data['key_info'] : {}
    const rows = texts(answer.data['keys']).map((version) => {
      const of = isObject(info[version]) ? info[version] : {}
      return [version, String(of['timestamp_installed'] ?? ''), String(of['build_date'] ?? '')]
    })
    line(call, tableOf([['Version', 'Installation Time', 'Build Date'], ...rows]))
    return 0
  },
}

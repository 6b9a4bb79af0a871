import type { Json } from '../../lib/json/value.ts'
import { isObject, text, texts } from '../../sdk/envelope.ts'
import { type Command, type CommandCall, Failure, failing } from '../command.ts'
import { line, printDocument } from '../output/secret.ts'
import { tableOf } from '../output/table.ts'
import { connectionFlags, formatFlag } from '../session.ts'
import { pluginType, pluginTypes } from './plugin-arguments.ts'

export const pluginList: Command = {
  name: 'plugin list',
  summary: 'Engines and auth methods that can be enabled',
  args: '[options] [TYPE]',
  about: 'TYPE is auth, database or secret. Whether they are enabled is what "secrets list" and "auth list" say.',
  examples: [
    { says: 'All of them', run: 'plugin list' },
    { says: 'Auth methods, with their state', run: 'plugin list -detailed auth' },
  ],
  flags: {
    ...connectionFlags,
    ...formatFlag,
    detailed: { kind: 'bool', about: 'Also whether they are deprecated; of tables only.' },
  },
  takes: { min: 0, max: 1 },
  run: async (call) => {
    const given = call.args[0]?.trim() ?? ''
    const type = given === '' ? undefined : pluginType(given)
    const answer = await failing('Error listing available plugins', call.session.read('sys/plugins/catalog'))
    const data = answer?.data
    if (!data) throw new Failure(2, 'No response from server when listing plugins')
    const all = Array.isArray(data['detailed']) ? data['detailed'] : []
    const details = all.filter((one) => type === undefined || member(one, 'type') === type)
    if (call.session.format() === 'table') line(call, tableOf(rowsOf(call, details, type === undefined)))
    else {
      const types = pluginTypes.filter((one) => type === undefined || one === type)
      printDocument(call, {
        ...Object.fromEntries(types.map((one) => [one, [...texts(data[one])]])),
        details,
      })
    }
    return 0
  },
}

function rowsOf(call: CommandCall, details: readonly Json[], ofAllTypes: boolean): string[][] {
  const columns = [
    ['Name', 'name'],
    ...(ofAllTypes || call.session.detailed() ? [['Type', 'type']] : []),
    ['Version', 'version'],
    ...(call.session.detailed() ? [['Deprecation Status', 'deprecation_status']] : []),
  ] as const
  return [
    columns.map(([title = '']) => title),
    ...details.map((one) => columns.map(([, name = '']) => member(one, name))),
  ]
}

const member = (one: Json, name: string): string => (isObject(one) ? text(one[name]) : '')

import { type Command, Failure, failing } from '../command.ts'
import { line, membersTable, printDocument, printField } from '../output/secret.ts'
import { connectionFlags, fieldFlag, formatFlag } from '../session.ts'
import { pluginNamed } from './plugin-arguments.ts'

const members = ['args', 'builtin', 'command', 'deprecation_status', 'name', 'sha256', 'version']

export const pluginInfo: Command = {
  name: 'plugin info',
  summary: 'What is known about an engine or auth method',
  args: '[options] TYPE NAME',
  about: 'TYPE is auth, database or secret.',
  examples: [{ says: 'The version of the KV engine', run: 'plugin info -field=version secret kv' }],
  flags: {
    ...connectionFlags,
    ...formatFlag,
    ...fieldFlag,
    version: { kind: 'text', about: 'Of this version, where a server has several.' },
  },
  takes: { min: 1, max: 2 },
  run: async (call) => {
    const { name, path } = pluginNamed(call)
    const version = call.flags.text('version')
    const asked = call.session.read(path, version === undefined ? undefined : { version })
    const answer = await failing(`Error reading plugin named ${name}`, asked)
    if (!answer?.data) throw new Failure(2, `No value found for plugin ${JSON.stringify(name)}`)
    const { data } = answer
    const shown = Object.fromEntries(members.map((member) => [member, data[member] ?? null]))
    const field = call.flags.text('field')
    if (field !== undefined) return printField(call, { ...answer, data: shown }, field)
    if (call.session.format() === 'table') line(call, membersTable(shown))
    else printDocument(call, shown)
    return 0
  },
}

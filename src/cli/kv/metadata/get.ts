import type { JsonObject } from '../../../lib/json/value.ts'
import type { Envelope } from '../../../sdk/envelope.ts'
import { isObject } from '../../../sdk/envelope.ts'
import { type Command, type CommandCall, Failure, failing } from '../../command.ts'
import { line, membersTable, printField, printSecret, printWarnings } from '../../output/secret.ts'
import { heading, headingFor } from '../../output/table.ts'
import { connectionFlags, fieldFlag, formatFlag } from '../../session.ts'
import { apiPath, locateVersioned, mountFlag } from '../location.ts'
import { notVersioned } from './settings.ts'

export const kvMetadataGet: Command = {
  name: 'kv metadata get',
  summary: 'What is known about a key: limits, custom metadata, each version',
  args: '[options] PATH',
  examples: [
    { says: 'The key my-app/config of the engine at secret/', run: 'kv metadata get -mount=secret my-app/config' },
  ],
  flags: { ...connectionFlags, ...formatFlag, ...fieldFlag, ...mountFlag },
  takes: { min: 1, max: 1 },
  run: async (call) => {
    const full = apiPath(await locateVersioned(call, call.args[0] ?? '', notVersioned), 'metadata')
    const answer = await failing(`Error reading ${full}`, call.session.read(full))
    if (!answer) throw new Failure(2, `No value found at ${full}`)
    const field = call.flags.text('field')
    if (field !== undefined) return printField(call, answer, field)
    const { versions } = answer.data ?? {}
    if (answer.wrap_info || call.session.format() !== 'table') printSecret(call, answer)
    else if (!isObject(versions)) throw new Failure(2, `No value found at ${full}`)
    else printSections(call, answer, versions, full)
    return 0
  },
}

function printSections(call: CommandCall, answer: Envelope, versions: JsonObject, full: string): void {
  printWarnings(call, answer)
  const rest = Object.fromEntries(Object.entries(answer.data ?? {}).filter(([name]) => name !== 'versions'))
  const sections = [
    `${heading('Metadata Path', full.length)}\n${full}`,
    `${headingFor('Metadata', rest)}\n${membersTable(rest)}`,
  ]
  for (const number of Object.keys(versions).sort((a, b) => Number(a) - Number(b))) {
    const version = versions[number]
    if (isObject(version)) sections.push(`${headingFor(`Version ${number}`, version)}\n${membersTable(version)}`)
  }
  line(call, sections.join('\n\n'))
}

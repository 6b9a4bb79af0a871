import type { Envelope } from '../../sdk/envelope.ts'
import { isObject } from '../../sdk/envelope.ts'
import { type Command, type CommandCall, Failure, failing } from '../command.ts'
import { line, membersTable, printField, printSecret, printWarnings } from '../output/secret.ts'
import { heading, headingFor } from '../output/table.ts'
import { connectionFlags, fieldFlag, formatFlag } from '../session.ts'
import { apiPath, locate, mountFlag } from './location.ts'

export const kvGet: Command = {
  name: 'kv get',
  summary: 'Read a secret',
  args: '[options] PATH',
  examples: [
    { says: 'The secret my-app/config of the engine at secret/', run: 'kv get -mount=secret my-app/config' },
    { says: 'One key of it', run: 'kv get -mount=secret -field=config my-app/config' },
    { says: 'As it was', run: 'kv get -mount=secret -version=1 my-app/config' },
  ],
  flags: {
    ...connectionFlags,
    ...formatFlag,
    ...fieldFlag,
    ...mountFlag,
    version: { kind: 'int', about: 'This version instead of the latest.' },
  },
  takes: { min: 1, max: 1 },
  run: async (call) => {
    const [path = ''] = call.args
    const location = await failing('', locate(call, path))
    const full = apiPath(location, 'data')
    const version = call.flags.int('version')
    const query = location.versioned && version !== undefined && version > 0 ? { version } : {}
    const answer = await failing(`Error reading ${full}`, call.session.read(full, query))
    if (!answer) throw new Failure(2, `No value found at ${full}`)
    if (call.flags.has('field')) return printKvField(call, answer, location.versioned, full)
    if (answer.wrap_info || call.session.format() !== 'table') printSecret(call, answer)
    else printSections(call, answer, location.versioned, full)
    return 0
  },
}

function printKvField(call: CommandCall, answer: Envelope, versioned: boolean, full: string): number {
  const field = call.flags.text('field') ?? ''
  if (!versioned || answer.wrap_info) return printField(call, answer, field)
  const inner = answer.data?.['data']
  if (!isObject(inner)) throw new Failure(2, `No data found at ${full}`)
  return printField(call, { ...answer, data: inner }, field)
}

function printSections(call: CommandCall, answer: Envelope, versioned: boolean, full: string): void {
  printWarnings(call, answer)
  const sections: string[] = []
  const metadata = answer.data?.['metadata']
  const data = versioned ? answer.data?.['data'] : (answer.data ?? undefined)
  if (versioned) sections.push(`${heading('Secret Path', full.length)}\n${full}`)
  if (isObject(metadata)) sections.push(`${headingFor('Metadata', metadata)}\n${membersTable(metadata)}`)
  if (isObject(data)) sections.push(`${headingFor('Data', data)}\n${membersTable(data)}`)
  line(call, sections.join('\n\n'))
}

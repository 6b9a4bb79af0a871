import type { JsonObject } from '../../../lib/json/value.ts'
import { type Command, type CommandCall, Failure } from '../../command.ts'
import { line, printDocument } from '../../output/secret.ts'
import { columnsOf, tableOf } from '../../output/table.ts'
import { formatFlag } from '../../session.ts'
import { localStorageOf, type StorageReport } from './local-storage.ts'

const statuses = { whole: 0, damaged: 1, unknown: 2 } as const

export const operatorStorageCheck: Command = {
  name: 'operator storage check',
  summary: 'Whether the storage is whole, as far as that can be seen without keys',
  args: '-config=PATH [options]',
  about:
    'Reads all of it and changes nothing; a server may be at work meanwhile. lmdb: the structure of the file and the sum of every row. ' +
    'Any storage: order and form of the rows, what unsealing needs, rows that belong to no namespace. Whether what is encrypted opens, ' +
    'only the server can tell. Exit status: 0 whole, 1 damaged, 2 nothing can be said.',
  examples: [{ says: 'Each night', run: 'operator storage check -config=/etc/coffer/coffer.hcl' }],
  flags: {
    config: { kind: 'list', about: 'File or folder of the server; may be repeated.' },
    ...formatFlag,
  },
  takes: { min: 0, max: 0 },
  run: async (call) => {
    const configs = call.flags.list('config')
    if (configs.length === 0) throw new Failure(2, 'Must specify a configuration file using -config.')
    const report = await look(call, configs)
    if (call.session.format() === 'table') line(call, textOf(report))
    else printDocument(call, documentOf(report))
    return statuses[report.verdict]
  },
}

async function look(call: CommandCall, configs: readonly string[]): Promise<StorageReport> {
  try {
    const storages = await localStorageOf(call.context)
    return await storages.check({ configs, signal: call.context.signal })
  } catch (cause) {
    if (cause instanceof Failure) throw cause
    throw new Failure(2, cause instanceof Error ? cause.message : String(cause), { cause })
  }
}

function textOf({ storage, verdict, rows, bytes, problems, advice, kinds }: StorageReport): string {
  const head = columnsOf([
    ['Storage', storage],
    ['Verdict', verdict],
    ...(rows === undefined ? [] : [['Rows', String(rows)] as const]),
    ...(bytes === undefined ? [] : [['Bytes', String(bytes)] as const]),
  ])
  const counts = kinds.map((kind) => [kind.name, String(kind.rows), String(kind.bytes)])
  return [
    head,
    ...(counts.length > 0 ? [tableOf([['Rows of', 'Count', 'Bytes'], ...counts])] : []),
    ...(problems.length > 0 ? [problems.map((problem) => `* ${problem}`).join('\n')] : []),
    ...(advice === undefined ? [] : [`${advice}.`]),
  ].join('\n\n')
}

const documentOf = ({ storage, verdict, rows, bytes, problems, advice, kinds }: StorageReport): JsonObject => ({
  storage,
  verdict,
  ...(rows === undefined ? {} : { rows }),
  ...(bytes === undefined ? {} : { bytes }),
  problems: [...problems],
  ...(advice === undefined ? {} : { advice }),
  kinds: kinds.map(({ name, ...sums }) => ({ name, ...sums })),
})

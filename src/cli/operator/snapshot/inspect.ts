import type { JsonObject } from '../../../lib/json/value.ts'
import { type Command, type CommandCall, Failure } from '../../command.ts'
import { line, printDocument } from '../../output/secret.ts'
import { columnsOf, tableOf } from '../../output/table.ts'
import { formatFlag } from '../../session.ts'
import { localSnapshotOf, type SnapshotReport } from './local-snapshot.ts'

export const snapshotInspect = (name: string): Command => ({
  name,
  summary: 'What is in the file of a snapshot, without a server and without keys',
  args: '[options] FILE',
  about: 'Reads the whole file and checks its checksums. Whether this server took it, only the server can tell.',
  examples: [{ says: 'Is the backup whole?', run: `${name} backup.snap` }],
  flags: {
    ...formatFlag,
    details: { kind: 'bool', about: 'Also count the rows by folder; default true.' },
    depth: { kind: 'int', about: 'How many folders deep rows are counted; default 2.' },
  },
  takes: { min: 1, max: 1 },
  run: inspect,
})

async function inspect(call: CommandCall): Promise<number> {
  const { flags, context, session } = call
  const [file = ''] = call.args
  const depth = flags.int('depth') ?? 2
  if (depth < 1 || depth > 10) throw new Failure(1, `invalid value "${depth}" for flag -depth: want 1 to 10`)
  const details = !flags.has('details') || flags.on('details')
  const local = await localSnapshotOf(context)
  const report = await local.inspect(file, depth).catch((cause: unknown) => {
    throw new Failure(1, `Error reading ${file}: ${cause instanceof Error ? cause.message : 'unknown reason'}`, {
      cause,
    })
  })
  if (session.format() === 'table') line(call, textOf(report, details))
  else printDocument(call, documentOf(report, details))
  return 0
}

const sumOf = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0)

function textOf(report: SnapshotReport, details: boolean): string {
  const { kinds } = report
  const head = columnsOf([
    ['ID', report.id],
    ['Size', String(report.size)],
    ['Index', String(report.index)],
    ['Term', String(report.term)],
    ['Version', String(report.version)],
    ['Taken', report.takenAt],
    ['Coffer', report.cofferVersion],
    ['Cluster ID', report.clusterId],
    ['Storage', report.storage],
  ])
  if (!details) return head
  const rows = kinds.map(({ name, count, size }) => [name, String(count), String(size)])
  const total = ['Total', String(sumOf(kinds.map(({ count }) => count))), String(sumOf(kinds.map(({ size }) => size)))]
  return `${head}\n\n${tableOf([['Key Name', 'Count', 'Size'], ...rows, total])}`
}

/** Names as Vault's. */
function documentOf(report: SnapshotReport, details: boolean): JsonObject {
  const { kinds } = report
  return {
    Meta: {
      ID: report.id,
      Size: report.size,
      Index: report.index,
      Term: report.term,
      Version: report.version,
      TakenAt: report.takenAt,
      CofferVersion: report.cofferVersion,
      ClusterID: report.clusterId,
      Storage: report.storage,
    },
    ...(details
      ? {
          StatsKV: kinds.map(({ name: Name, count: Count, size: Size }) => ({ Name, Count, Size })),
          TotalCountKV: sumOf(kinds.map(({ count }) => count)),
          TotalSizeKV: sumOf(kinds.map(({ size }) => size)),
        }
      : {}),
  }
}

import { type Command, type CommandCall, Failure } from '../../command.ts'
import { line, printDocument } from '../../output/secret.ts'
import { columnsOf } from '../../output/table.ts'
import { formatFlag } from '../../session.ts'
import { localStorageOf, type VerifiedSnapshot } from '../storage/local-storage.ts'

export const snapshotVerify: Command = {
  name: 'operator snapshot verify',
  summary: 'Restore a snapshot into a scratch storage and read it back, without a server and without keys',
  args: '[options] FILE',
  about:
    'More than "inspect": every row is written to a storage on this machine, which is read again, compared, checked as ' +
    '"operator storage check" does, and removed. Whether the unseal keys open it, only a restore can tell. Exit status: 0 it can be ' +
    'restored, 1 not.',
  examples: [{ says: 'Can the backup be restored?', run: 'operator snapshot verify backup.snap' }],
  flags: {
    scratch: { kind: 'text', about: 'Folder for the scratch storage; default: that for temporary files.' },
    ...formatFlag,
  },
  takes: { min: 1, max: 1 },
  run: verify,
}

async function verify(call: CommandCall): Promise<number> {
  const [file = ''] = call.args
  const storages = await localStorageOf(call.context)
  const { signal } = call.context
  const report = await storages.verifySnapshot(file, { scratch: call.flags.text('scratch'), signal }).catch((cause) => {
    throw new Failure(1, `Error verifying ${file}: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    })
  })
  if (call.session.format() === 'table') line(call, textOf(report))
  else printDocument(call, { ...report, problems: [...report.problems] })
  return report.problems.length > 0 ? 1 : 0
}

function textOf({ id, takenAt, clusterId, rows, bytes, problems }: VerifiedSnapshot): string {
  const head = columnsOf([
    ['ID', id],
    ['Taken', takenAt],
    ['Cluster ID', clusterId],
    ['Rows', String(rows)],
    ['Bytes', String(bytes)],
  ])
  if (problems.length === 0) return `${head}\n\nSuccess! The snapshot was restored and read back.`
  return `${head}\n\n${problems.map((problem) => `* ${problem}`).join('\n')}`
}

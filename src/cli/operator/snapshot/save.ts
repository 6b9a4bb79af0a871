import { randomUUID } from 'node:crypto'
import { open, rename, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type Command, type CommandCall, Failure, failing } from '../../command.ts'
import { line } from '../../output/secret.ts'
import { connectionFlags } from '../../session.ts'
import { localSnapshotOf } from './local-snapshot.ts'
import { withProgress } from './progress.ts'

/** Under Coffer's name and under Vault's. */
export const snapshotSave = (name: string): Command => ({
  name,
  summary: 'Save everything that the server stores, encrypted as it is stored, into a file',
  args: '[options] FILE',
  about:
    'The file replaces one of that name only when it is whole and its checksums fit. Whoever has the unseal keys of this moment can read it: keep the two apart.',
  examples: [{ says: 'A backup', run: `${name} backup.snap` }],
  flags: connectionFlags,
  takes: { min: 1, max: 1 },
  run: save,
})

async function save(call: CommandCall): Promise<number> {
  const [file = ''] = call.args
  const part = join(dirname(file), `.${randomUUID()}.snap.part`)
  const out = await locally(`the snapshot cannot be written beside ${file}`, open(part, 'wx', 0o600))
  try {
    const { signal } = call.context
    const asked = call.session.client().transfer({ method: 'GET', path: 'sys/storage/raft/snapshot', signal })
    const { body } = await failing('Error taking the snapshot', asked)
    const download = async () => {
      for await (const chunk of withProgress(call.context, body, 'received')) await out.writeFile(chunk)
    }
    await failing('Error taking the snapshot', download())
    await locally(`the snapshot cannot be written to ${file}`, out.sync())
    const local = await localSnapshotOf(call.context)
    const report = await failing('Incomplete snapshot', local.inspect(part, 1))
    await locally(`the snapshot cannot be written to ${file}`, rename(part, file))
    const rows = report.kinds.reduce((total, { count }) => total + count, 0)
    line(call, `Saved snapshot ${report.id} (${rows} rows, ${report.size} bytes) to ${file}`)
    return 0
  } finally {
    await out.close()
    await unlink(part).catch(() => undefined)
  }
}

async function locally<T>(what: string, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (cause) {
    throw new Failure(1, `${what}: ${cause instanceof Error ? cause.message : 'unknown reason'}`, { cause })
  }
}

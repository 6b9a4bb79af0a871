import { open } from 'node:fs/promises'
import { type Command, type CommandCall, Failure, failing } from '../../command.ts'
import { line } from '../../output/secret.ts'
import { connectionFlags } from '../../session.ts'
import { withProgress } from './progress.ts'

export const snapshotRestore = (name: string): Command => ({
  name,
  summary: 'Put a snapshot in the place of everything that the server stores',
  args: '[options] FILE',
  about:
    'The server checks the whole file first; then all of it is replaced at once, and the server is sealed. What was written since the snapshot is gone; what was revoked since is valid again.',
  examples: [
    { says: 'Back to a backup of this server', run: `${name} backup.snap` },
    { says: 'Into a new server, or from before a rekeying', run: `${name} -force backup.snap` },
  ],
  flags: {
    ...connectionFlags,
    force: { kind: 'bool', about: 'Also when the snapshot was taken with other unseal keys.' },
  },
  takes: { min: 1, max: 1 },
  run: restore,
})

async function restore(call: CommandCall): Promise<number> {
  const [file = ''] = call.args
  const input = await open(file).catch((cause: unknown) => {
    throw new Failure(1, `Error opening the snapshot: ${cause instanceof Error ? cause.message : 'unknown reason'}`)
  })
  let undone: string | undefined
  try {
    const path = call.flags.on('force') ? 'sys/storage/raft/snapshot-force' : 'sys/storage/raft/snapshot'
    const bytes = withProgress(call.context, input.createReadStream({ autoClose: false }), 'sent')
    const source = Object.assign(bytes, { file })
    const asked = call.session.client().transfer({ method: 'POST', path, source, signal: call.context.signal })
    const { headers } = await failing('Error installing the snapshot', asked)
    undone = headers['x-coffer-undone']
  } finally {
    await input.close()
  }
  line(
    call,
    `Success! The snapshot is restored and the server is sealed: unseal it with the keys of the time when it was taken.\nTokens and leases that were revoked since then are valid again: revoke them once more.${countsOf(undone)}`,
  )
  return 0
}

/** A server that can tell says "tokens=3, leases=1". */
function countsOf(undone: string | undefined): string {
  const found = /^tokens=(\d{1,15}), leases=(\d{1,15})$/.exec(undone ?? '')
  if (!found) return ''
  return `\nOf what the snapshot holds, ${found[1]} tokens and ${found[2]} leases had been revoked or had ended since.`
}

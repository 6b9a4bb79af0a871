import { open } from 'node:fs/promises'
import type { Json } from '../../../lib/json/value.ts'
import { readResponse } from '../../../sdk/client.ts'
import { type Envelope, integer, isObject, texts } from '../../../sdk/envelope.ts'
import type { TransferResponse } from '../../../sdk/transport.ts'
import { type Command, type CommandCall, Failure, failing } from '../../command.ts'
import { printable } from '../../output/printable.ts'
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
  let answer: Envelope | undefined
  try {
    const path = call.flags.on('force') ? 'sys/storage/raft/snapshot-force' : 'sys/storage/raft/snapshot'
    const bytes = withProgress(call.context, input.createReadStream({ autoClose: false }), 'sent')
    const source = Object.assign(bytes, { file })
    const asked = call.session.client().transfer({ method: 'POST', path, source, signal: call.context.signal })
    answer = await failing(
      'The snapshot is restored, but not all of the answer came',
      envelopeIn(await failing('Error installing the snapshot', asked)),
    )
  } finally {
    await input.close()
  }
  line(
    call,
    'Success! The snapshot is restored and the server is sealed: unseal it with the keys of the time when it was taken.',
  )
  for (const text of told(answer)) line(call, text)
  return 0
}

async function envelopeIn({ status, headers, body }: TransferResponse): Promise<Envelope | undefined> {
  const parts: Uint8Array[] = []
  for await (const part of body) parts.push(part)
  return readResponse({ status, headers, body: Buffer.concat(parts).toString() }).envelope
}

const general = 'What was revoked since then is valid again: revoke it once more.'

/** A server that could compare says what it undid; others, Vault among them, answer nothing. */
function told(answer: Envelope | undefined): string[] {
  const undone = answer?.data?.['undone']
  if (!isObject(undone)) return [general, ...(answer?.warnings ?? []).map(printable)]
  return [
    'What had been revoked, removed or changed since then is as it was; revoke it once more:',
    ...Object.entries(undone).flatMap(([kind, found]) => ['', ...listOf(kind, found)]),
  ]
}

const heads: ReadonlyMap<string, string> = new Map([
  ['tokens', 'tokens, by accessor'],
  ['leases', 'leases'],
  ['mounts', 'mounts'],
  ['auth_rows', 'auth methods with users, roles or secret IDs (rows) again'],
  ['namespaces', 'namespaces'],
  ['policies', 'policies'],
  ['changed_policies', 'policies with other contents'],
  ['token_roles', 'token roles'],
  ['entities', 'entities, by id'],
  ['entity_aliases', 'entity aliases, by id'],
  ['groups', 'groups, by id'],
  ['changed_groups', 'groups with other members or policies, by id'],
  ['not_compared', 'rows that can not be read and compared, so that nobody knows, by their keys'],
])

function listOf(kind: string, found: Json | undefined): string[] {
  if (!isObject(found)) return []
  const unnamed = integer(found['unnamed'])
  return [
    `${integer(found['count'])} ${heads.get(kind) ?? printable(kind)}`,
    ...texts(found['named']).map((name) => `    ${printable(name)}`),
    ...(unnamed > 0 ? [`    … and ${unnamed} more`] : []),
  ]
}

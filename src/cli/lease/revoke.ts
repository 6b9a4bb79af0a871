import { type Command, type CommandCall, Failure, failing } from '../command.ts'
import { line, warn } from '../output/secret.ts'
import { connectionFlags } from '../session.ts'

export const leaseRevoke: Command = {
  name: 'lease revoke',
  summary: 'End a lease, or all below a path',
  args: '[options] ID',
  about:
    'Without -sync the server takes the order and goes on trying until it succeeds. With -sync the answer comes when it is done, or has failed. -force always waits.',
  examples: [
    { says: 'One lease', run: 'lease revoke database/creds/readonly/2f6a614c' },
    { says: 'All leases of a role', run: 'lease revoke -prefix database/creds/readonly' },
    { says: 'Forget leases whose database is gone', run: 'lease revoke -force -prefix database/creds' },
  ],
  flags: {
    ...connectionFlags,
    force: {
      kind: 'bool',
      alias: 'f',
      about: 'Forget the leases even if what they stand for cannot be undone; needs -prefix.',
    },
    prefix: { kind: 'bool', about: 'ID is the beginning of the ids of leases.' },
    sync: { kind: 'bool', about: 'Answer when it is done.' },
  },
  takes: { min: 1, max: 1 },
  run: async (call) => {
    const { flags } = call
    const id = (call.args[0] ?? '').trim()
    const [force, prefix, sync] = [flags.on('force'), flags.on('prefix'), flags.on('sync')]
    if (force && !prefix) throw new Failure(1, 'Specifying -force requires also specifying -prefix')
    if (force) warn(call, 'Warning! Force-removing leases can cause Vault to become out of sync with secret engines!')
    const what = force
      ? `Error force revoking leases with prefix ${id}`
      : prefix
        ? `Error revoking leases with prefix ${id}`
        : `Error revoking lease ${id}`
    await failing(what, revoke(call, id, { force, prefix, sync }))
    line(call, said(id, { force, prefix, sync }))
    return 0
  },
}

interface How {
  readonly force: boolean
  readonly prefix: boolean
  readonly sync: boolean
}

function revoke(call: CommandCall, id: string, { force, prefix, sync }: How): Promise<unknown> {
  const client = call.session.client()
  const options = call.session.callOptions()
  if (force) return client.write(`sys/leases/revoke-force/${id}`, {}, options)
  if (prefix) return client.write(`sys/leases/revoke-prefix/${id}`, { sync }, options)
  return client.write('sys/leases/revoke', { lease_id: id, sync }, options)
}

function said(id: string, { force, prefix, sync }: How): string {
  if (force) return `Success! Force revoked any leases with prefix: ${id}`
  if (!sync) return 'All revocation operations queued successfully!'
  return prefix ? `Success! Revoked any leases with prefix: ${id}` : `Success! Revoked lease: ${id}`
}

/** sys/leases and the older paths beside it. */
import { formatGoTime } from '../../../lib/go-time.ts'
import type { Fields } from '../../contracts/fields.ts'
import { type Call, type Operation, operation, Refusal, type Reply, type Route } from '../../contracts/request.ts'
import type { LeaseStore } from '../../leases/lease-store.ts'

const leaseFields = {
  lease_id: { kind: 'string', description: 'The lease', default: '' },
  url_lease_id: { kind: 'string', description: 'The lease', default: '' },
  increment: { kind: 'duration', description: 'How long it shall live from now', default: 0 },
  sync: { kind: 'bool', description: 'Answer when it is done', default: true },
} as const satisfies Fields
const syncField = { sync: { kind: 'bool', description: 'Answer when it is done', default: true } } as const

export function leaseRoutes(leases: LeaseStore): Route[] {
  const renew = renewOperation(leases)
  const revoke = revokeOperation(leases)
  const listing = operation({ input: {}, access: 'sudo', handle: (call) => list(leases, call) })
  const prefix = (force: boolean): Route['on'] => ({
    update: operation({ input: syncField, access: 'sudo', handle: (call) => revokePrefix(leases, call, force) }),
  })
  return [
    {
      path: 'leases/lookup',
      summary: 'Shows a lease.',
      on: {
        update: operation({ input: leaseFields, effect: 'none', handle: (call) => lookup(leases, call) }),
        list: listing,
      },
    },
    { path: 'leases/lookup/{prefix...}', summary: 'Lists leases.', on: { list: listing } },
    { path: 'leases/renew', summary: 'Prolongs a lease.', on: { update: renew } },
    { path: 'leases/renew/{id...}', summary: 'Prolongs a lease.', on: { update: renew } },
    { path: 'renew', summary: 'The old path of leases/renew.', on: { update: renew } },
    { path: 'renew/{id...}', summary: 'The old path of leases/renew.', on: { update: renew } },
    { path: 'leases/revoke', summary: 'Ends a lease.', on: { update: revoke } },
    { path: 'leases/revoke/{id...}', summary: 'Ends a lease.', on: { update: revoke } },
    { path: 'revoke', summary: 'The old path of leases/revoke.', on: { update: revoke } },
    { path: 'revoke/{id...}', summary: 'The old path of leases/revoke.', on: { update: revoke } },
    { path: 'leases/revoke-prefix/{prefix...}', summary: 'Ends all leases below a path.', on: prefix(false) },
    { path: 'revoke-prefix/{prefix...}', summary: 'The old path of leases/revoke-prefix.', on: prefix(false) },
    { path: 'leases/revoke-force/{prefix...}', summary: 'Forgets leases that cannot be ended.', on: prefix(true) },
    { path: 'revoke-force/{prefix...}', summary: 'The old path of leases/revoke-force.', on: prefix(true) },
  ]
}

type LeaseInput = { lease_id: string; url_lease_id: string }
const idOf = (call: Call<LeaseInput>) => call.params['id'] || call.input.lease_id || call.input.url_lease_id

async function lookup(leases: LeaseStore, call: Call<LeaseInput>): Promise<Reply> {
  const id = idOf(call)
  if (id === '') throw new Refusal(400, 'lease_id must be specified')
  const row = await leases.get(id)
  if (!row || row.status === 'pending') throw new Refusal(400, 'invalid lease')
  return {
    kind: 'data',
    data: {
      expire_time: formatGoTime(row.expiresAt),
      id: row.id,
      issue_time: formatGoTime(row.issuedAt),
      last_renewal: row.renewedAt === null ? null : formatGoTime(row.renewedAt),
      renewable: row.renewable,
      ttl: Math.max(0, Math.floor((row.expiresAt - call.now) / 1000)),
    },
  }
}

async function list(leases: LeaseStore, call: Call<unknown>): Promise<Reply> {
  const prefix = call.params['prefix'] ?? ''
  const keys: string[] = []
  for (;;) {
    const page = await leases.list(prefix, keys.at(-1), 1000)
    keys.push(...page)
    if (page.length < 1000) return { kind: 'data', data: { keys } }
  }
}

function renewOperation(leases: LeaseStore): Operation {
  return operation({
    input: leaseFields,
    handle: async (call) => {
      const id = idOf(call)
      if (id === '') throw new Refusal(400, 'lease_id must be specified')
      if (id.startsWith('auth/')) throw new Refusal(400, 'tokens cannot be renewed through this endpoint')
      const { lease, warnings } = await leases.renew(id, call.input.increment, call.signal)
      return { kind: 'lease', data: null, lease, warnings }
    },
  })
}

function revokeOperation(leases: LeaseStore): Operation {
  return operation({
    input: leaseFields,
    handle: async (call) => {
      const id = idOf(call)
      if (id === '') throw new Refusal(400, 'lease_id must be specified')
      await leases.revoke(id, call.signal)
      return { kind: 'none', ...(call.input.sync ? {} : { status: 202 }) }
    },
  })
}

async function revokePrefix(leases: LeaseStore, call: Call<{ sync: boolean }>, force: boolean): Promise<Reply> {
  const prefix = `${(call.params['prefix'] ?? '').replace(/\/+$/, '')}/`
  await leases.revokePrefix(prefix, { force, signal: call.signal })
  return { kind: 'none', ...(call.input.sync ? {} : { status: 202 }) }
}

/** sys/leases and the older paths beside it. */
import { formatGoTime } from '../../../../lib/go-time.ts'
import type { NamespaceInfo } from '../../../contracts/epochs.ts'
import type { Fields } from '../../../contracts/fields.ts'
import { type Call, type Operation, operation, Refusal, type Reply, type Route } from '../../../contracts/request.ts'
import type { NamespaceLeases } from '../../../leases/namespace-leases.ts'
import type { TokenRevocation } from '../../../tokens/token-revocation.ts'
import { irrevocableRoutes } from './irrevocable.ts'

export interface LeaseRoutesOptions {
  readonly namespace: NamespaceInfo
  readonly revocation: TokenRevocation
  readonly leases: NamespaceLeases
  /** Those of the namespaces below this one. */
  readonly leasesBelow: () => readonly NamespaceLeases[]
}

const leaseFields = {
  lease_id: { kind: 'string', description: 'The lease', default: '' },
  url_lease_id: { kind: 'string', description: 'The lease, where the path does not name it', default: '' },
} as const satisfies Fields
const renewFields = {
  ...leaseFields,
  increment: { kind: 'duration', description: 'How long it shall live from now; 0: as first issued', default: 0 },
} as const satisfies Fields
const sync = { kind: 'bool', description: 'Answer when it is done, rather than 202 at once', default: true } as const
const listFields = {
  after: { kind: 'string', description: 'Only names after this one', default: '' },
  limit: { kind: 'int', description: 'At most so many names; 0: all', default: 0 },
} as const satisfies Fields

const pageSize = 1000

export function leaseRoutes(options: LeaseRoutesOptions): Route[] {
  const { leases } = options
  const listing = operation({ input: listFields, access: 'sudo', handle: (call) => list(leases, call) })
  const looking = operation({ input: leaseFields, effect: 'none', handle: (call) => lookup(leases, call) })
  return [
    { path: 'leases/lookup', summary: 'Shows a lease.', on: { update: looking, list: listing } },
    { path: 'leases/lookup/{prefix...}', summary: 'Lists leases.', on: { list: listing } },
    ...both('renew', 'Prolongs a lease.', '{url_lease_id...}', renewOperation(leases)),
    ...both('revoke', 'Ends a lease.', '{url_lease_id...}', revokeOperation(leases)),
    ...belowPrefix('revoke-prefix', 'Ends all leases below a path.', prefixOperation(options)),
    ...belowPrefix(
      'revoke-force',
      'Ends all leases below a path, whatever their engines say.',
      forceOperation(options),
    ),
    { path: 'leases/tidy', summary: 'Mends dangling index rows.', on: { update: tidyOperation(leases) } },
    ...irrevocableRoutes(options),
  ]
}

const both = (name: string, summary: string, capture: string, update: Operation): Route[] =>
  [`leases/${name}`, name].flatMap((path) => [
    { path, summary, on: { update } },
    { path: `${path}/${capture}`, summary, on: { update } },
  ])

const belowPrefix = (name: string, summary: string, update: Operation): Route[] =>
  [`leases/${name}`, name].map((path) => ({ path: `${path}/{prefix...}`, summary, on: { update } }))

type LeaseInput = { readonly lease_id: string; readonly url_lease_id: string }

/** Refuses (400) when neither body nor path names one; the body's counts first. */
function idOf({ input }: Call<LeaseInput>): string {
  const id = input.lease_id || input.url_lease_id
  if (id === '') throw new Refusal(400, 'lease_id must be specified')
  return id
}

async function lookup(leases: NamespaceLeases, call: Call<LeaseInput>): Promise<Reply> {
  const row = await leases.get(idOf(call))
  if (!row) throw new Refusal(400, 'invalid lease')
  return {
    kind: 'data',
    data: {
      expire_time: formatGoTime(row.expiresAt),
      id: row.id,
      issue_time: formatGoTime(row.issuedAt),
      last_renewal: row.renewedAt === null ? null : formatGoTime(row.renewedAt),
      path: row.path,
      renewable: row.renewable && row.status === 'active' && row.expiresAt > call.now,
      ttl: Math.max(0, Math.floor((row.expiresAt - call.now) / 1000)),
    },
  }
}

async function list(
  leases: NamespaceLeases,
  call: Call<{ readonly after: string; readonly limit: number }>,
): Promise<Reply> {
  const { after, limit } = call.input
  const prefix = call.params['prefix'] ?? ''
  const most = limit > 0 ? limit : Number.POSITIVE_INFINITY
  const keys: string[] = []
  while (keys.length < most) {
    call.signal.throwIfAborted()
    const wanted = Math.min(pageSize, most - keys.length)
    const page = await leases.list(prefix, keys.at(-1) ?? (after === '' ? undefined : after), wanted)
    keys.push(...page)
    if (page.length < wanted) break
  }
  return { kind: 'data', data: { keys } }
}

function renewOperation(leases: NamespaceLeases): Operation {
  return operation({
    input: renewFields,
    effect: 'outside',
    handle: async (call) => {
      const id = idOf(call)
      if (id.startsWith('auth/')) throw new Refusal(400, 'tokens cannot be renewed through this endpoint')
      const { lease, warnings } = await leases.renew(id, call.input.increment, call.signal)
      return { kind: 'lease', data: null, lease, warnings }
    },
  })
}

const done = (inTime: boolean): Reply => ({ kind: 'none', ...(inTime ? {} : { status: 202 }) })

function revokeOperation(leases: NamespaceLeases): Operation {
  return operation({
    input: { ...leaseFields, sync },
    effect: 'outside',
    handle: async (call) => {
      await leases.revoke(idOf(call), { later: !call.input.sync, signal: call.signal })
      return done(call.input.sync)
    },
  })
}

/** In Vault tokens have leases below the path that made them; here they end by that path all the same. */
function revokePrefix(
  { leases, revocation, namespace }: LeaseRoutesOptions,
  prefix: string,
  how: { readonly force: boolean; readonly later: boolean; readonly signal: AbortSignal },
): Promise<void> {
  if (`${prefix}/`.startsWith('auth/')) return revocation.byPath.revoke(namespace.id, prefix, how)
  return leases.revokePrefix(prefix, how)
}

function prefixOperation(options: LeaseRoutesOptions): Operation {
  return operation({
    input: { sync },
    access: 'sudo',
    effect: 'outside',
    handle: async (call) => {
      const { params, input, signal } = call
      await revokePrefix(options, params['prefix'] ?? '', { force: false, later: !input.sync, signal })
      return done(input.sync)
    },
  })
}

/** Always in time, as in Vault. */
function forceOperation(options: LeaseRoutesOptions): Operation {
  return operation({
    input: {},
    access: 'sudo',
    effect: 'outside',
    handle: async ({ params, signal }) => {
      await revokePrefix(options, params['prefix'] ?? '', { force: true, later: false, signal })
      return done(true)
    },
  })
}

function tidyOperation(leases: NamespaceLeases): Operation {
  return operation({
    input: {},
    handle: async () => {
      await leases.tidy()
      return {
        kind: 'none',
        status: 202,
        warnings: [
          "Tidy operation successfully started. Any information from the operation will be printed to OpenBao's server logs.",
        ],
      }
    },
  })
}

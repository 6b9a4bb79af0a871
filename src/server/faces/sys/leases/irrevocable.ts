/** sys/leases and sys/leases/count: leases whose revocation failed for good. */
import type { Fields } from '../../../contracts/fields.ts'
import { type Call, operation, Refusal, type Reply, type Route } from '../../../contracts/request.ts'
import type { NamespaceLeases } from '../../../leases/namespace-leases.ts'
import type { LeaseRoutesOptions } from './leases.ts'

const countFields = {
  type: { kind: 'lowerString', description: 'irrevocable: the only type there is', default: '' },
  include_child_namespaces: { kind: 'bool', description: 'With those of the namespaces below', default: false },
} as const satisfies Fields
const listFields = {
  ...countFields,
  limit: { kind: 'lowerString', description: 'At most so many, or "none" for all. Default 10000', default: '' },
} as const satisfies Fields

const usualLimit = 10_000
const halted =
  'Command halted because many irrevocable leases were found. To emit the entire list, re-run the command with force set true.'

export function irrevocableRoutes(options: LeaseRoutesOptions): Route[] {
  return [
    {
      path: 'leases',
      summary: 'Lists leases that could not be revoked.',
      on: { read: operation({ input: listFields, access: 'sudo', handle: (call) => list(options, call) }) },
    },
    {
      path: 'leases/count',
      summary: 'Counts leases that could not be revoked.',
      on: { read: operation({ input: countFields, handle: (call) => count(options, call) }) },
    },
  ]
}

interface CountInput {
  readonly type: string
  readonly include_child_namespaces: boolean
}

const spaces = ({ leases, leasesBelow }: LeaseRoutesOptions, input: CountInput): readonly NamespaceLeases[] =>
  input.include_child_namespaces ? [leases, ...leasesBelow()] : [leases]

async function count(options: LeaseRoutesOptions, { input }: Call<CountInput>): Promise<Reply> {
  if (input.type !== 'irrevocable') return { kind: 'none' }
  const counts = new Map<string, number>()
  let total = 0
  for (const leases of spaces(options, input)) {
    for (const [accessor, found] of await leases.countIrrevocable()) {
      counts.set(accessor, (counts.get(accessor) ?? 0) + found)
      total += found
    }
  }
  return { kind: 'data', data: { counts: Object.fromEntries(counts), lease_count: total } }
}

async function list(
  options: LeaseRoutesOptions,
  { input }: Call<CountInput & { readonly limit: string }>,
): Promise<Reply> {
  if (input.type !== 'irrevocable') return { kind: 'none' }
  const limit = limitOf(input.limit)
  const found = []
  for (const leases of spaces(options, input)) found.push(...(await leases.irrevocable(limit + 1 - found.length)))
  const shown = found.slice(0, limit).sort((a, b) => a.expiresAt - b.expiresAt || (a.id < b.id ? -1 : 1))
  return {
    kind: 'data',
    data: {
      lease_count: shown.length,
      leases: shown.map(({ id, mountAccessor, lastError }) => ({
        lease_id: id,
        mount_id: mountAccessor,
        error: lastError,
      })),
    },
    ...(found.length > limit ? { warnings: [halted] } : {}),
  }
}

function limitOf(text: string): number {
  if (text === '') return usualLimit
  if (text === 'none') return Number.POSITIVE_INFINITY
  if (!/^[+-]?\d+$/.test(text)) throw new Refusal(400, `invalid 'limit' provided: "${text}" is not a number`)
  const limit = Number(text)
  if (limit < 1) throw new Refusal(400, "limit must be 'none' or a positive integer")
  return limit
}

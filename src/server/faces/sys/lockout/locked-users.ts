/** sys/locked-users: who was locked out by failed logins. */
import type { JsonObject } from '../../../../lib/json/value.ts'
import type { NamespaceInfo } from '../../../contracts/epochs.ts'
import { type Call, operation, type Reply, type Route } from '../../../contracts/request.ts'
import type { LockoutStore } from '../../../lockout/lockout-store.ts'

export interface LockoutRoutesOptions {
  readonly namespace: NamespaceInfo
  /** Live ones below it. */
  readonly namespacesBelow: () => readonly NamespaceInfo[]
  readonly lockout: LockoutStore
}

const input = {
  mount_accessor: { kind: 'string', description: 'Only users of this auth mount of this namespace', default: '' },
} as const

export function lockoutRoutes(options: LockoutRoutesOptions): Route[] {
  const { lockout, namespace } = options
  return [
    {
      path: 'locked-users',
      summary: 'Users that are locked out.',
      on: { read: operation({ input, handle: (call) => locked(options, call) }) },
    },
    {
      path: 'locked-users/{mount_accessor}/unlock/{alias_identifier...}',
      summary: 'Lets a user log in again.',
      on: {
        update: operation({
          input: {},
          handle: async ({ params }) => {
            await lockout.unlock(namespace.id, params['mount_accessor'] ?? '', params['alias_identifier'] ?? '')
            return { kind: 'none' }
          },
        }),
      },
    },
  ]
}

async function locked(
  { namespace, namespacesBelow, lockout }: LockoutRoutesOptions,
  call: Call<{ readonly mount_accessor: string }>,
): Promise<Reply> {
  const accessor = call.input.mount_accessor === '' ? undefined : call.input.mount_accessor
  const found: { readonly count: number; readonly json: JsonObject }[] = []
  for (const info of accessor === undefined ? [namespace, ...namespacesBelow()] : [namespace]) {
    const mounts = await lockout.locked(info.id, accessor)
    const count = mounts.reduce((sum, { aliases }) => sum + aliases.length, 0)
    if (mounts.length === 0) continue
    const sorted = mounts.sort((a, b) => b.aliases.length - a.aliases.length)
    const byMount = sorted.map(({ mountAccessor, aliases }) => ({
      mount_accessor: mountAccessor,
      counts: aliases.length,
      alias_identifiers: [...aliases],
    }))
    found.push({
      count,
      json: { namespace_id: info.id, namespace_path: info.path, counts: count, mount_accessors: byMount },
    })
  }
  found.sort((a, b) => b.count - a.count)
  const total = found.reduce((sum, { count }) => sum + count, 0)
  return { kind: 'data', data: { by_namespace: found.map(({ json }) => json), total } }
}

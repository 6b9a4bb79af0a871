/** How many leases and login tokens there are, for quotas: names are listed, no row is read. */
import type { NamespaceInfo } from '../../../server/contracts/epochs.ts'
import type { SecretStorage } from '../../../server/contracts/secret-storage.ts'
import type { LeaseStore } from '../../../server/leases/lease-store.ts'
import type { MountTable } from '../../../server/mounts/mount-table.ts'
import type { NamespaceTable } from '../../../server/namespaces/namespace-table.ts'
import type { Counted } from '../../../server/quotas/lease-quotas.ts'
import type { TokenStore } from '../../../server/tokens/token-store.ts'

export interface LeaseCounterOptions {
  readonly namespaces: NamespaceTable
  readonly nounsOf: (info: NamespaceInfo) => { readonly mounts: MountTable }
  readonly leases: LeaseStore
  readonly tokens: TokenStore
}

export function leaseCounter({ namespaces, nounsOf, leases, tokens }: LeaseCounterOptions) {
  const loginTokens = async (info: NamespaceInfo, prefix: string, limit: number): Promise<number> => {
    const { mounts } = nounsOf(info)
    const view = mounts.knownVersion === undefined ? await mounts.load() : mounts.known
    let count = 0
    for (const { info: mount } of view.mounts) {
      if (count >= limit) break
      if (mount.class !== 'auth' || !mount.path.startsWith(prefix)) continue
      count += await countNames(tokens.logins, `${mount.uuid}/`, limit - count)
    }
    return count
  }
  return async ({ namespacePath, prefix, deep }: Counted, limit: number): Promise<number> => {
    const view = namespaces.known
    const own = view.at(namespacePath)
    let count = 0
    for (const info of [...(own ? [own] : []), ...(deep ? view.below(namespacePath, true) : [])]) {
      count += await leases.in(info).count(prefix, limit - count)
      count += await loginTokens(info, prefix, limit - count)
      if (count >= limit) break
    }
    return count
  }
}

async function countNames(view: SecretStorage, prefix: string, limit: number): Promise<number> {
  let count = 0
  let after: string | undefined
  while (count < limit) {
    const wanted = Math.min(1000, limit - count)
    const names: string[] = await view.list(prefix, { depth: 'all', after, limit: wanted })
    count += names.length
    if (names.length < wanted) break
    after = names.at(-1)
  }
  return count
}

/** How many tokens, leases and entities a namespace has: names are listed, a page at a time. */
import type { NamespaceInfo } from '../../../server/contracts/epochs.ts'
import type { IdentityStore } from '../../../server/identity/identity-store.ts'
import type { LeaseStore } from '../../../server/leases/lease-store.ts'
import type { TokenStore } from '../../../server/tokens/token-store.ts'

export interface UsageOptions {
  readonly leases: LeaseStore
  readonly tokens: TokenStore
  readonly nounsOf: (info: NamespaceInfo) => { readonly identity: IdentityStore }
}

const pageSize = 1000

/** Yields how many each page has. Batch tokens are not kept, so they are not counted. */
export function tokenPages({ tokens }: UsageOptions, info: NamespaceInfo): AsyncGenerator<number> {
  const names = tokens.accessors(info.id)
  return pages((after) => names.list('', { depth: 'all', after, limit: pageSize }))
}

export function leasePages({ leases }: UsageOptions, info: NamespaceInfo): AsyncGenerator<number> {
  const own = leases.in(info)
  return pages((after) => own.names(after, pageSize))
}

export async function* entityPages({ nounsOf }: UsageOptions, info: NamespaceInfo): AsyncGenerator<number> {
  let count = 0
  for await (const _ of nounsOf(info).identity.entities.all()) {
    count += 1
    if (count < pageSize) continue
    yield count
    count = 0
  }
  yield count
}

export async function sum(counts: AsyncIterable<number>): Promise<number> {
  let all = 0
  for await (const count of counts) all += count
  return all
}

async function* pages(list: (after: string | undefined) => Promise<readonly string[]>): AsyncGenerator<number> {
  let after: string | undefined
  for (;;) {
    const names = await list(after)
    yield names.length
    if (names.length < pageSize) return
    after = names.at(-1)
  }
}

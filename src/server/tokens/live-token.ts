/** A token that a request brought, as far as it was read: kept with the versions of its rows, so that asking again is cheap. */
import { BlockList, isIPv4, isIPv6 } from 'node:net'
import type { Standing } from '../contracts/access/standing.ts'
import type { Caller } from '../contracts/request.ts'
import { unitedPolicies } from './token-policies.ts'
import type { TokenRow } from './token-row.ts'

export interface LiveToken {
  readonly id: string
  readonly row: TokenRow
  /** Its policies are the token's own and its entity's. */
  readonly caller: Caller
  /** What the entity and its groups add, sorted. */
  readonly identityPolicies: readonly string[]
  readonly bound: BlockList | undefined
}

/** `standing`: of its entity, as of now. */
export function liveToken(id: string, row: TokenRow, standing?: Pick<Standing, 'policies'>): LiveToken {
  const root = row.policies.includes('root')
  const identityPolicies = standing?.policies ?? []
  return {
    id,
    row,
    identityPolicies,
    caller: {
      id,
      accessor: row.accessor,
      displayName: row.displayName,
      policies: unitedPolicies(row.policies, identityPolicies),
      entityId: row.entityId,
      type: row.type,
      root,
    },
    // A root token that never expires can't be locked out by an address.
    bound: row.boundCidrs.length > 0 && !(root && row.expiresAt === 0) ? blockList(row.boundCidrs) : undefined,
  }
}

/** Throws on what is not an address or CIDR block. */
export function blockList(cidrs: readonly string[]): BlockList {
  const list = new BlockList()
  for (const cidr of cidrs) {
    const [address = '', bits] = cidr.split('/')
    const family = isIPv4(address) ? 'ipv4' : isIPv6(address) ? 'ipv6' : undefined
    const width = bits === undefined ? (family === 'ipv4' ? 32 : 128) : Number(bits)
    if (!family || !Number.isInteger(width)) throw new Error(`not a CIDR block: ${cidr}`)
    list.addSubnet(address, width, family)
  }
  return list
}

export function addressAllowed(bound: BlockList, address: string): boolean {
  const plain = address.startsWith('::ffff:') ? address.slice(7) : address
  return isIPv4(plain) ? bound.check(plain, 'ipv4') : isIPv6(plain) && bound.check(plain, 'ipv6')
}

/** A token that a request brought, as far as it was read: kept with the versions of its rows, so that asking again is cheap. */
import { BlockList, isIPv4, isIPv6 } from 'node:net'
import type { Caller } from '../contracts/request.ts'
import type { TokenRow } from './token-row.ts'

export interface LiveToken {
  readonly id: string
  readonly row: TokenRow
  readonly caller: Caller
  readonly bound: BlockList | undefined
}

export function liveToken(id: string, row: TokenRow): LiveToken {
  const root = row.policies.includes('root')
  return {
    id,
    row,
    caller: {
      accessor: row.accessor,
      displayName: row.displayName,
      policies: row.policies,
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

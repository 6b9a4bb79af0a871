/** The client's address behind proxies that are trusted to tell it (X-Forwarded-For). */
import { BlockList, isIP } from 'node:net'
import { Refusal } from '../contracts/request.ts'

export interface ForwardedForRules {
  /** Proxies: addresses or blocks. */
  readonly authorized: BlockList
  /** How many of the last addresses are proxies as well. */
  readonly hopSkips: number
  readonly rejectNotPresent: boolean
  readonly rejectNotAuthorized: boolean
}

/** "10.0.0.0/8" and "::1"; undefined when one of them is not an address. */
export function blockListOf(addresses: readonly string[]): BlockList | undefined {
  const list = new BlockList()
  for (const text of addresses) {
    const [address = '', bits] = text.split('/')
    const kind = isIP(address)
    const width = kind === 4 ? 32 : 128
    if (kind === 0 || (bits !== undefined && !(/^\d{1,3}$/.test(bits) && Number(bits) <= width))) return undefined
    list.addSubnet(address, bits === undefined ? width : Number(bits), kind === 4 ? 'ipv4' : 'ipv6')
  }
  return list
}

/** `headers`: each X-Forwarded-For header as it came. Refusal 400 where the rules say so. */
export function clientAddress(rules: ForwardedForRules, peer: string, headers: readonly string[]): string {
  if (headers.length === 0) {
    if (!rules.rejectNotPresent) return peer
    throw new Refusal(400, 'missing x-forwarded-for header and configured to reject when not present')
  }
  if (!isAuthorized(rules.authorized, peer)) {
    if (!rules.rejectNotAuthorized) return peer
    throw new Refusal(400, 'client address not authorized for x-forwarded-for and configured to reject connection')
  }
  const chain = headers.flatMap((header) => header.split(',')).map((part) => part.trim())
  const address = chain[chain.length - 1 - rules.hopSkips]
  if (address === undefined) {
    throw new Refusal(
      400,
      `malformed x-forwarded-for configuration or request, hops to skip (${rules.hopSkips}) would skip before earliest chain link (chain length ${chain.length})`,
    )
  }
  // It ends up in audit lines, quotas and bound CIDRs: nothing but an address will do.
  if (isIP(address) === 0) throw new Refusal(400, 'the x-forwarded-for header holds something that is not an address')
  return address
}

function isAuthorized(list: BlockList, peer: string): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(peer)?.[1]
  const address = mapped ?? peer
  const kind = isIP(address)
  return kind !== 0 && list.check(address, kind === 4 ? 'ipv4' : 'ipv6')
}

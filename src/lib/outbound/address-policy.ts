import { BlockList, isIP, isIPv4 } from 'node:net'

export interface AddressPolicyOptions {
  /** What may be dialled although it is refused otherwise: "10.0.0.1", "127.0.0.0/8", "host:443", "[::1]:8443". */
  readonly allow?: readonly string[]
  /** "address:port" of this server's own listeners; only an exact host:port in `allow` opens them. */
  readonly own?: () => readonly string[]
}

/** Where a request wants to go: the host as the URL names it, and one address that it stands for. */
export interface Destination {
  readonly host: string
  readonly port: number
  readonly address: string
}

const refusedRanges: readonly (readonly [reason: string, ...subnets: string[]])[] = [
  ['unspecified', '0.0.0.0/8', '::/128'],
  ['loopback', '127.0.0.0/8', '::1/128'],
  ['link-local', '169.254.0.0/16', 'fe80::/10'],
  // Metadata services that do not live in the link-local range: AWS on IPv6, Alibaba, Azure, Oracle.
  [
    'metadata service',
    'fd00:ec2::254/128',
    'fd20:ce::254/128',
    '100.100.100.200/32',
    '168.63.129.16/32',
    '192.0.0.192/32',
  ],
  ['multicast', '224.0.0.0/4', 'ff00::/8'],
  ['reserved', '240.0.0.0/4'],
]

interface Refused {
  readonly reason: string
  readonly list: BlockList
}

function refusedLists(): Refused[] {
  return refusedRanges.map(([reason, ...subnets]) => {
    const list = new BlockList()
    for (const subnet of subnets) addSubnet(list, subnet)
    return { reason, list }
  })
}

/** Decides which addresses may be dialled. Judges IPv6 forms that carry an IPv4 address by that address too. */
export class AddressPolicy {
  /** Made for the first question: most servers dial nobody, and a start would wait for it. */
  #refused: readonly Refused[] | undefined
  readonly #allowed = new BlockList()
  readonly #endpoints = new Set<string>()
  readonly #own: () => readonly string[]

  /** Throws when an entry of `allow` can't be read. */
  constructor(options: AddressPolicyOptions = {}) {
    this.#own = options.own ?? (() => [])
    for (const entry of options.allow ?? []) this.#allow(entry)
  }

  #allow(entry: string): void {
    if (isIP(entry) || /^[0-9a-f.:]+\/\d{1,3}$/i.test(entry)) {
      addSubnet(this.#allowed, entry)
      return
    }
    const endpoint = /^(\[[0-9a-f:.]+\]|[a-z0-9.-]+):(\d{1,5})$/i.exec(entry)
    if (!endpoint) throw new Error(`"${entry}" is neither an address, a range such as 10.0.0.0/8, nor host:port`)
    this.#endpoints.add(entry.toLowerCase())
  }

  /** Why not, or undefined. */
  refusal(to: Destination): string | undefined {
    const host = isIP(to.host) === 6 ? `[${to.host}]` : to.host
    if (this.#endpoints.has(`${host}:${to.port}`.toLowerCase())) return undefined
    if (this.#isOwn(to)) return `${to.address}:${to.port} is this server itself`
    const forms = [to.address, ...embeddedIPv4(to.address)]
    this.#refused ??= refusedLists()
    for (const { reason, list } of this.#refused) {
      for (const form of forms) {
        if (contains(list, form) && !contains(this.#allowed, form) && !contains(this.#allowed, to.address)) {
          return `${to.address} is a ${reason} address`
        }
      }
    }
    return undefined
  }

  #isOwn(to: Destination): boolean {
    return this.#own().some((listener) => {
      const split = listener.lastIndexOf(':')
      const address = listener.slice(0, split).replace(/^\[|\]$/g, '')
      if (Number(listener.slice(split + 1)) !== to.port) return false
      // A listener on all addresses is reached through any loopback address.
      const everywhere = address === '0.0.0.0' || address === '::'
      return address === to.address || (everywhere && isLoopback(to.address))
    })
  }
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.') || embeddedIPv4(address).some((a) => a.startsWith('127.'))
}

function addSubnet(list: BlockList, text: string): void {
  const [address = '', bits] = text.split('/')
  const family = isIP(address)
  const most = family === 6 ? 128 : 32
  const prefix = bits === undefined ? most : Number(bits)
  if (family === 0 || !Number.isInteger(prefix) || prefix > most) throw new Error(`"${text}" is no address range`)
  list.addSubnet(address, prefix, family === 6 ? 'ipv6' : 'ipv4')
}

function contains(list: BlockList, address: string): boolean {
  return list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6')
}

/** IPv4-mapped and -compatible, NAT64 (RFC 6052) and 6to4 (RFC 3056) addresses reach the IPv4 address inside them. */
function embeddedIPv4(address: string): string[] {
  if (isIP(address) !== 6) return []
  const groups = expand(address)
  const at = (i: number) => groups[i] ?? 0
  const ipv4 = (high: number, low: number) => `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`
  const zeros = (from: number, to: number) => groups.slice(from, to).every((group) => group === 0)
  if (zeros(0, 5) && (at(5) === 0xffff || at(5) === 0) && !(zeros(0, 7) && at(7) <= 1)) return [ipv4(at(6), at(7))]
  if (at(0) === 0x64 && at(1) === 0xff9b && zeros(2, 6)) return [ipv4(at(6), at(7))]
  return at(0) === 0x2002 ? [ipv4(at(1), at(2))] : []
}

function expand(address: string): number[] {
  const plain = address.replace(/%.*$/, '').replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...bytes: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = bytes.slice(0, 4).map(Number)
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
  })
  const [head = '', tail] = plain.split('::')
  const read = (text: string) => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)))
  if (tail === undefined) return read(head)
  const [left, right] = [read(head), read(tail)]
  return [...left, ...Array<number>(Math.max(0, 8 - left.length - right.length)).fill(0), ...right]
}

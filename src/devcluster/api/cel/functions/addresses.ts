/** ip() and cidr(), as Go's net/netip reads them. */
import { isIPv4, isIPv6 } from 'node:net'
import { contentOf, fn, method, type Overload, textOf } from '../overload.ts'
import { CelError, Opaque, type Value } from '../value.ts'

class Ip {
  readonly bits: bigint
  readonly family: 4 | 6
  constructor(bits: bigint, family: 4 | 6) {
    this.bits = bits
    this.family = family
  }
}
class Cidr {
  readonly ip: Ip
  readonly length: number
  constructor(ip: Ip, length: number) {
    this.ip = ip
    this.length = length
  }
}

const widthOf = (ip: Ip) => (ip.family === 4 ? 32 : 128)

function bitsOf6(text: string): bigint {
  const [head = '', tail] = text.split('::')
  const groups = (part: string) =>
    part === ''
      ? []
      : part.split(':').flatMap((group) => {
          if (!group.includes('.')) return [BigInt(`0x${group}`)]
          const bits = bitsOf4(group)
          return [bits >> 16n, bits & 0xffffn]
        })
  const before = groups(head)
  const after = tail === undefined ? [] : groups(tail)
  const middle = Array.from({ length: 8 - before.length - after.length }, () => 0n)
  return [...before, ...middle, ...after].reduce((sum, group) => (sum << 16n) | group, 0n)
}

const bitsOf4 = (text: string) => text.split('.').reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n)

function parseIp(text: string): Ip {
  if (isIPv4(text)) return new Ip(bitsOf4(text), 4)
  if (text.includes('%') && isIPv6(text.replace(/%.*$/s, '')))
    throw new CelError(`IP address ${JSON.stringify(text)} with zone value is not allowed`)
  if (!isIPv6(text))
    throw new CelError(
      `IP Address ${JSON.stringify(text)} parse error during conversion from string: ParseAddr(${JSON.stringify(text)}): unable to parse IP`,
    )
  const ip = new Ip(bitsOf6(text), 6)
  if (ip.bits >> 32n === 0xffffn) throw new CelError(`IPv4-mapped IPv6 address ${JSON.stringify(text)} is not allowed`)
  return ip
}

function parseCidr(text: string): Cidr {
  const prefix = 'network address parse error during conversion from string: '
  const fault = (why: string) => new CelError(`${prefix}${prefix}netip.ParsePrefix(${JSON.stringify(text)}): ${why}`)
  const slash = text.lastIndexOf('/')
  if (slash < 0) throw fault("no '/'")
  const [address, length] = [text.slice(0, slash), text.slice(slash + 1)]
  if (!isIPv4(address) && !isIPv6(address)) throw fault(`ParseAddr(${JSON.stringify(address)}): unable to parse IP`)
  if (!/^(0|[1-9]\d{0,2})$/.test(length)) throw fault(`bad bits after slash: ${JSON.stringify(length)}`)
  const ip = parseIp(address)
  if (Number(length) > widthOf(ip)) throw fault(`prefix length out of range`)
  return new Cidr(ip, Number(length))
}

/** RFC 5952. */
function ipText(ip: Ip): string {
  if (ip.family === 4) return [24n, 16n, 8n, 0n].map((shift) => (ip.bits >> shift) & 255n).join('.')
  const groups = Array.from({ length: 8 }, (_, index) => (ip.bits >> BigInt(112 - 16 * index)) & 0xffffn)
  const text = groups.map((group) => group.toString(16)).join(':')
  const zeros = [...text.matchAll(/(?<![^:])0(:0)+(?![^:])/g)].sort((a, b) => b[0].length - a[0].length)[0]
  if (!zeros) return text
  const before = text.slice(0, zeros.index).replace(/:$/, '')
  const after = text.slice(zeros.index + zeros[0].length).replace(/^:/, '')
  return `${before}::${after}`
}

const cidrText = (cidr: Cidr) => `${ipText(cidr.ip)}/${cidr.length}`
const ipValue = (ip: Ip) => new Opaque('net.IP', `${ip.family}/${ip.bits}`, ip)
const cidrValue = (cidr: Cidr) => new Opaque('net.CIDR', cidrText(cidr), cidr)

const hasPrefix = (ip: Ip, bits: bigint, length: number) => ip.bits >> BigInt(widthOf(ip) - length) === bits
const isLoopback = (ip: Ip) => (ip.family === 4 ? hasPrefix(ip, 127n, 8) : ip.bits === 1n)
const isMulticast = (ip: Ip) => (ip.family === 4 ? hasPrefix(ip, 0xen, 4) : hasPrefix(ip, 0xffn, 8))
const isLinkLocalUnicast = (ip: Ip) => (ip.family === 4 ? hasPrefix(ip, 0xa9fen, 16) : hasPrefix(ip, 0xfe80n >> 6n, 10))
const isLinkLocalMulticast = (ip: Ip) =>
  ip.family === 4 ? hasPrefix(ip, 0xe00000n, 24) : isMulticast(ip) && ((ip.bits >> 112n) & 0xfn) === 2n
const isGlobalUnicast = (ip: Ip) =>
  ip.bits !== 0n &&
  !(ip.family === 4 && ip.bits === 0xffffffffn) &&
  !isLoopback(ip) &&
  !isMulticast(ip) &&
  !isLinkLocalUnicast(ip)

function succeeds(parse: () => unknown): boolean {
  try {
    parse()
    return true
  } catch (error) {
    if (error instanceof CelError) return false
    throw error
  }
}

function containsIp(value: Value | undefined, ip: Ip): boolean {
  const cidr = contentOf(value, Cidr)
  if (cidr.ip.family !== ip.family) return false
  const shift = BigInt(widthOf(ip) - cidr.length)
  return ip.bits >> shift === cidr.ip.bits >> shift
}

const containsCidr = (value: Value | undefined, other: Cidr) =>
  contentOf(value, Cidr).length <= other.length && containsIp(value, other.ip)

function masked({ ip, length }: Cidr): Cidr {
  const shift = BigInt(widthOf(ip) - length)
  return new Cidr(new Ip((ip.bits >> shift) << shift, ip.family), length)
}

const test = (name: string, holds: (ip: Ip) => boolean) =>
  method(name, 'net.IP', 'bool', ([ip]) => holds(contentOf(ip, Ip)))

export const addressFunctions: readonly Overload[] = [
  fn('ip', 'string', 'net.IP', ([text]) => ipValue(parseIp(textOf(text)))),
  fn('isIP', 'string', 'bool', ([text]) => succeeds(() => parseIp(textOf(text)))),
  fn('ip.isCanonical', 'string', 'bool', ([text]) => ipText(parseIp(textOf(text))) === textOf(text)),
  fn('string', 'net.IP', 'string', ([ip]) => ipText(contentOf(ip, Ip))),
  method('family', 'net.IP', 'int', ([ip]) => BigInt(contentOf(ip, Ip).family)),
  test('isUnspecified', (ip) => ip.bits === 0n),
  test('isLoopback', isLoopback),
  test('isLinkLocalMulticast', isLinkLocalMulticast),
  test('isLinkLocalUnicast', isLinkLocalUnicast),
  test('isGlobalUnicast', isGlobalUnicast),
  fn('cidr', 'string', 'net.CIDR', ([text]) => cidrValue(parseCidr(textOf(text)))),
  fn('isCIDR', 'string', 'bool', ([text]) => succeeds(() => parseCidr(textOf(text)))),
  fn('string', 'net.CIDR', 'string', ([cidr]) => cidrText(contentOf(cidr, Cidr))),
  method('ip', 'net.CIDR', 'net.IP', ([cidr]) => ipValue(contentOf(cidr, Cidr).ip)),
  method('prefixLength', 'net.CIDR', 'int', ([cidr]) => BigInt(contentOf(cidr, Cidr).length)),
  method('masked', 'net.CIDR', 'net.CIDR', ([cidr]) => cidrValue(masked(contentOf(cidr, Cidr)))),
  method('containsIP', 'net.CIDR, string', 'bool', ([cidr, text]) => containsIp(cidr, parseIp(textOf(text)))),
  method('containsIP', 'net.CIDR, net.IP', 'bool', ([cidr, ip]) => containsIp(cidr, contentOf(ip, Ip))),
  method('containsCIDR', 'net.CIDR, string', 'bool', ([cidr, text]) => containsCidr(cidr, parseCidr(textOf(text)))),
  method('containsCIDR', 'net.CIDR, net.CIDR', 'bool', ([cidr, other]) => containsCidr(cidr, contentOf(other, Cidr))),
]

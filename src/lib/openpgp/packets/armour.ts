import { OpenpgpProblem } from './problem.ts'

const begin = '-----BEGIN PGP PUBLIC KEY BLOCK-----'
const end = '-----END PGP PUBLIC KEY BLOCK-----'
const header = /^[A-Za-z]+: /

export const isArmoured = (text: string): boolean => /^\s*-----BEGIN PGP /.test(text)

/** The bytes of an ASCII-armoured public key (RFC 9580, 6). Its checksum may be absent; a wrong one is refused. */
export function readArmour(text: string): Uint8Array {
  const trimmed = text.trim()
  if (trimmed.startsWith('-----BEGIN PGP PRIVATE KEY')) throw new OpenpgpProblem(privateKey)
  if (!trimmed.startsWith(begin)) throw new OpenpgpProblem(`the armour does not begin with "${begin}"`)
  if (!trimmed.endsWith(end)) throw new OpenpgpProblem(`the armour does not end with "${end}"`)
  const inner = trimmed.slice(begin.length, -end.length)
  if (inner.includes('-----BEGIN PGP')) throw new OpenpgpProblem('there is more than one armour: give one key')
  const lines = inner.split(/\r?\n/).map((line) => line.trim())
  const blank = lines.findIndex((line, i) => i > 0 && !header.test(line))
  if (lines[blank] !== '' || blank === lines.length - 1)
    throw new OpenpgpProblem('the armour has no blank line after its headers')
  const data = lines.slice(blank + 1).filter((line) => line !== '')
  const checksum = data.at(-1)?.startsWith('=') ? data.pop() : undefined
  const bytes = decodeBase64(data.join(''))
  if (!bytes) throw new OpenpgpProblem('the armour holds something else than base64')
  if (checksum !== undefined && checksum.slice(1) !== crc24(bytes)) {
    throw new OpenpgpProblem('the checksum of the armour is wrong: it was damaged on the way')
  }
  return bytes
}

export const privateKey = 'this is a private key: give the public key, and to nobody the private one'

/** Undefined for anything else than base64 with its padding; line ends count as nothing. */
export function decodeBase64(text: string): Uint8Array | undefined {
  const compact = text.replace(/[\r\n]/g, '')
  if (compact === '' || compact.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(compact)) return undefined
  return Buffer.from(compact, 'base64')
}

/** RFC 9580, 6.1.1. */
function crc24(bytes: Uint8Array): string {
  let crc = 0xb704ce
  for (const byte of bytes) {
    crc ^= byte << 16
    for (let bit = 0; bit < 8; bit += 1) {
      crc <<= 1
      if (crc & 0x1000000) crc ^= 0x1864cfb
    }
  }
  return Buffer.of((crc >> 16) & 0xff, (crc >> 8) & 0xff, crc & 0xff).toString('base64')
}

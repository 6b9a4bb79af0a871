import type { RandomBytes } from '../../random.ts'

/** AES with 256 bits (RFC 9580, 9.3): what messages here are encrypted with. */
export const aes256 = 9

/** The algorithm's fields of an encrypted session key packet, for a session key of AES-256. */
export type Recipient = (sessionKey: Uint8Array, random: RandomBytes) => Buffer

/** As RSA and ECDH encrypt it (RFC 9580, 5.1.3): with its algorithm and its checksum. */
export function checkedSessionKey(sessionKey: Uint8Array): Buffer {
  const sum = sessionKey.reduce((total, byte) => (total + byte) & 0xffff, 0)
  return Buffer.concat([Buffer.of(aes256), sessionKey, Buffer.of(sum >> 8, sum & 0xff)])
}

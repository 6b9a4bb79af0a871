import { createCipheriv } from 'node:crypto'

const start = Buffer.alloc(8, 0xa6)

/** AES key wrap (RFC 3394). `key`: a multiple of 8 bytes, 16 at least. */
export function wrapKey(kek: Uint8Array, key: Uint8Array): Buffer {
  const cipher = createCipheriv(`id-aes${kek.length * 8}-wrap`, kek, start)
  return Buffer.concat([cipher.update(key), cipher.final()])
}

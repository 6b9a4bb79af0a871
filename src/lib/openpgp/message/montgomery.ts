import { createPrivateKey, createPublicKey, diffieHellman } from 'node:crypto'
import { base64url } from '../keys/curve.ts'
import { OpenpgpProblem } from '../packets/problem.ts'

/** Of a private key of X25519 in PKCS #8 (RFC 8410), before its 32 bytes. */
const before = Buffer.from('302e020100300506032b656e04220420', 'hex')

/** Agreement on Curve25519 (RFC 7748). `secret`: 32 bytes of chance, used once. OpenpgpProblem for a point of low order. */
export function agree25519(secret: Uint8Array, theirs: Uint8Array): { readonly ours: Buffer; readonly shared: Buffer } {
  const der = Buffer.concat([before, secret])
  try {
    const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
    const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x: base64url(theirs) }, format: 'jwk' })
    const ours = createPublicKey(privateKey).export({ format: 'jwk' }).x ?? ''
    return { ours: Buffer.from(ours, 'base64url'), shared: diffieHellman({ privateKey, publicKey }) }
  } catch {
    throw new OpenpgpProblem('its public point is of low order')
  } finally {
    der.fill(0)
  }
}

/** Whether anything can be encrypted to it at all: any secret shows that. */
export function assertPoint25519(point: Uint8Array): void {
  agree25519(Buffer.alloc(32, 1), point)
}

/** Keys and signatures of identity tokens: JWS (RFC 7515) with the algorithms of RFC 7518 and RFC 8037. */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  type JsonWebKey,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto'
import { promisify } from 'node:util'
import type { JsonObject } from '../../../lib/json/value.ts'

export const algorithms = ['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512', 'EdDSA'] as const
export type Algorithm = (typeof algorithms)[number]

export const isAlgorithm = (text: string): text is Algorithm => algorithms.some((one) => one === text)

const curves = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' } as const
const rsaBits = 2048
const generate = promisify(generateKeyPair)

export interface MadeKey {
  /** PKCS #8, DER, base64. */
  readonly privateKey: string
  readonly publicKey: JsonObject
}

export async function makeKey(algorithm: Algorithm): Promise<MadeKey> {
  const { privateKey, publicKey } = await generatePair(algorithm)
  return {
    privateKey: privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64'),
    publicKey: publicMembers(publicKey.export({ format: 'jwk' })),
  }
}

function generatePair(algorithm: Algorithm): Promise<{ privateKey: KeyObject; publicKey: KeyObject }> {
  if (algorithm === 'EdDSA') return generate('ed25519')
  if (algorithm === 'ES256' || algorithm === 'ES384' || algorithm === 'ES512') {
    return generate('ec', { namedCurve: curves[algorithm] })
  }
  return generate('rsa', { modulusLength: rsaBits })
}

function publicMembers(jwk: JsonWebKey): JsonObject {
  const { kty, crv, x, y, n, e } = jwk
  return Object.fromEntries(Object.entries({ kty, crv, x, y, n, e }).filter(([, value]) => value !== undefined))
}

/** RSA and ECDSA hash first, Ed25519 does not. */
const hashOf = (algorithm: Algorithm) => (algorithm === 'EdDSA' ? null : `sha${algorithm.slice(2)}`)
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** `payload` is JSON. */
export function signToken(algorithm: Algorithm, kid: string, privateKey: string, payload: string): string {
  const key = createPrivateKey({ key: Buffer.from(privateKey, 'base64'), format: 'der', type: 'pkcs8' })
  const signed = `${encode({ alg: algorithm, kid })}.${Buffer.from(payload).toString('base64url')}`
  const signature = sign(hashOf(algorithm), Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' })
  return `${signed}.${signature.toString('base64url')}`
}

export interface ReadToken {
  readonly kid: string
  readonly claims: Readonly<Record<string, unknown>>
  /** Whether this key signed it with this algorithm, which the token's own header does not decide. */
  isSignedBy(algorithm: Algorithm, publicKey: JsonObject): boolean
}

/** Undefined when it is not a signed token at all. */
export function readToken(token: string): ReadToken | undefined {
  const [head = '', body = '', signature = '', ...more] = token.split('.')
  const header = parse(head)
  const claims = parse(body)
  const { kid, alg } = header ?? {}
  if (!claims || typeof kid !== 'string' || more.length > 0) return undefined
  return {
    kid,
    claims,
    isSignedBy(algorithm, publicKey) {
      if (alg !== algorithm) return false
      const key = createPublicKey({ key: { ...publicKey } as JsonWebKey, format: 'jwk' })
      const bytes = Buffer.from(signature, 'base64url')
      return verify(hashOf(algorithm), Buffer.from(`${head}.${body}`), { key, dsaEncoding: 'ieee-p1363' }, bytes)
    },
  }
}

function parse(part: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString())
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
  } catch {
    return undefined
  }
}

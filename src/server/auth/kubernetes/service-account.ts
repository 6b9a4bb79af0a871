/** What a service account's token says about itself: unproven until the cluster was asked. */
import { Refusal } from '../../contracts/request.ts'
import { type KubernetesConfig, readPublicKey } from './config.ts'
import type { KubernetesRole } from './role.ts'

export interface ServiceAccount {
  readonly name: string
  readonly namespace: string
  readonly uid: string
  /** Of tokens from Secrets; projected ones have none. */
  readonly secretName: string
  readonly audiences: readonly string[]
}

interface Claims {
  readonly [claim: string]: unknown
}
const leewayMs = 60_000
const defaultIssuer = 'kubernetes/serviceaccount'
const denied = (cause?: string) => new Refusal(403, 'permission denied', { cause })

/** Refusal 403 for what no cluster would take: not a token, run out, not for the audience or from the issuer that is wanted. */
export async function readToken(
  jwt: string,
  role: KubernetesRole,
  config: KubernetesConfig,
  now: number,
): Promise<ServiceAccount> {
  const claims = config.pemKeys.length > 0 ? await verifiedClaims(jwt, config.pemKeys) : decodeClaims(jwt)
  if (!claims) throw denied('the login token is not a JWT, or no key of pem_keys has signed it')
  const { exp, nbf, iss } = claims
  if (typeof exp === 'number' && exp * 1000 + leewayMs < now) throw denied('the login token has expired')
  if (typeof nbf === 'number' && nbf * 1000 - leewayMs > now) throw denied('the login token is not valid yet')
  const audiences = textList(claims['aud'])
  if (role.audience !== '' && !audiences.includes(role.audience)) {
    throw new Refusal(403, 'invalid audience (aud) claim: audience claim does not match any expected audience')
  }
  if (!config.disableIssValidation && iss !== (config.issuer || defaultIssuer)) {
    throw new Refusal(403, 'invalid issuer (iss) claim')
  }
  const account = readAccount(claims, audiences)
  if (!account) throw denied('the login token does not name a service account')
  return account
}

/** Without any check. Undefined for anything but a JWT of a service account. */
export function peekAccount(jwt: string): ServiceAccount | undefined {
  const claims = decodeClaims(jwt)
  return claims && readAccount(claims, textList(claims['aud']))
}

function decodeClaims(jwt: string): Claims | undefined {
  const parts = jwt.split('.')
  if (parts.length !== 3 || !parts.every((part) => /^[A-Za-z0-9_-]+$/.test(part))) return undefined
  return parseObject(Buffer.from(parts[1] ?? '', 'base64url').toString())
}

function parseObject(text: string): Claims | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
  } catch {
    return undefined
  }
}

const algorithms = ['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512', 'EdDSA']

async function verifiedClaims(jwt: string, pemKeys: readonly string[]): Promise<Claims | undefined> {
  const { compactVerify } = await import('jose')
  for (const pem of pemKeys) {
    const verified = await compactVerify(jwt, readPublicKey(pem), { algorithms }).catch(() => undefined)
    if (verified) return parseObject(Buffer.from(verified.payload).toString())
  }
  return undefined
}

/** Projected tokens nest their facts, tokens from Secrets have them flat. */
function readAccount(claims: Claims, audiences: readonly string[]): ServiceAccount | undefined {
  const nested = record(claims['kubernetes.io'])
  const account = record(nested['serviceaccount'])
  const flat = (name: string) => text(claims[`kubernetes.io/serviceaccount/${name}`])
  const found = {
    name: text(account['name']) || flat('service-account.name'),
    namespace: text(nested['namespace']) || flat('namespace'),
    uid: text(account['uid']) || flat('service-account.uid'),
    secretName: flat('secret.name'),
    audiences,
  }
  return found.name !== '' && found.namespace !== '' && found.uid !== '' ? found : undefined
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function textList(value: unknown): string[] {
  return (Array.isArray(value) ? value : [value]).filter((item): item is string => typeof item === 'string')
}

/** `*` stands for any characters, also at several places. */
export function globListMatches(globs: readonly string[], name: string): boolean {
  return globs.some((glob) => {
    if (!glob.includes('*')) return glob === name
    const [first = '', ...rest] = glob.split('*')
    const last = rest.pop() ?? ''
    if (!name.startsWith(first)) return false
    let at = first.length
    for (const part of rest) {
      const found = name.indexOf(part, at)
      if (found < 0) return false
      at = found + part.length
    }
    return name.length - last.length >= at && name.endsWith(last)
  })
}

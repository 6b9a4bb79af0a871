import { X509Certificate } from 'node:crypto'

/** Certificates of other replicas (and of this one before its restart) that stay beside our own. */
const othersKept = 4

/**
 * The caBundle (base64 of PEM) with our CA in it; undefined when it is right as it is. Every replica adds its own and
 * keeps the newest others, so that none needs to be the leader; what has expired or cannot be read is dropped.
 */
export function bundleWith(current: string | undefined, ownPem: string, now: number): string | undefined {
  const own = ownPem.trim()
  const before = certificatesOf(Buffer.from(current ?? '', 'base64').toString('utf8'))
  const valid = before.filter((pem) => isValid(pem, now))
  const others = [...new Set(valid)].filter((pem) => pem !== own).slice(-othersKept)
  if (valid.includes(own) && others.length === before.length - 1) return undefined
  return Buffer.from(`${[...others, own].join('\n')}\n`).toString('base64')
}

const certificatesOf = (pem: string): string[] =>
  (pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? []).map((one) => one.trim())

function isValid(pem: string, now: number): boolean {
  try {
    return Date.parse(new X509Certificate(pem).validTo) > now
  } catch {
    return false
  }
}

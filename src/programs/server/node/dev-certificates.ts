/** `-dev-tls`: a CA and a certificate for this machine, made at the start. */
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RandomBytes } from '../../../lib/random.ts'

export interface DevCertificates {
  readonly caFile: string
  readonly certFile: string
  readonly keyFile: string
  /** Removes the folder if it was ours. */
  remove(): void
}

const monthMs = 30 * 86_400_000

/** `directory` must exist; '' makes one that `remove` removes. Names as Vault's. */
export async function makeDevCertificates(options: {
  readonly directory: string
  readonly host: string
  readonly now: number
  readonly random: RandomBytes
}): Promise<DevCertificates> {
  const { createCa, issueCertificate } = await import('../../../lib/x509/certificates.ts')
  const { host, now, random } = options
  const own = options.directory === ''
  const directory = own ? mkdtempSync(join(tmpdir(), 'vault-tls')) : options.directory
  if (!statSync(directory).isDirectory()) throw new Error(`-dev-tls-cert-dir: ${directory} is not a folder`)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const common = { random, now, validForMs: monthMs }
  const ca = createCa({ ...common, commonName: 'Coffer development CA' })
  const addresses = ['127.0.0.1', '::1', ...(isIP(host) > 0 && host !== '0.0.0.0' && host !== '::' ? [host] : [])]
  const leaf = issueCertificate(ca, {
    ...common,
    commonName: 'localhost',
    server: true,
    dnsNames: [...new Set(['localhost', hostname(), ...(isIP(host) === 0 ? [host] : [])])],
    ipAddresses: [...new Set(addresses)],
  })
  const files = {
    caFile: join(directory, 'vault-ca.pem'),
    certFile: join(directory, 'vault-cert.pem'),
    keyFile: join(directory, 'vault-key.pem'),
  }
  writeFileSync(files.caFile, ca.certPem)
  writeFileSync(files.certFile, leaf.certPem)
  writeFileSync(files.keyFile, leaf.keyPem, { mode: 0o600 })
  return { ...files, remove: () => own && rmSync(directory, { recursive: true, force: true }) }
}

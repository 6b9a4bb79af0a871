/** The certificate and key of a listener, before somebody's client finds out. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { ListenerTls } from '../configuration/listener-stanza.ts'
import type { Outcome } from './findings.ts'

const monthMs = 30 * 86_400_000

export function checkTls(tls: ListenerTls, now: number): Outcome {
  const [leaf, ...above] = certificatesIn(tls.certFile)
  if (!leaf) throw new Error(`${tls.certFile} holds no certificate`)
  if (!leaf.checkPrivateKey(createPrivateKey(readFileSync(tls.keyFile)))) {
    throw new Error(`the key ${tls.keyFile} is not the one of the certificate ${tls.certFile}`)
  }
  const all = [leaf, ...above]
  for (const certificate of all) mustBeValid(certificate, tls.certFile, now)
  for (const [i, certificate] of all.entries()) {
    const issuer = all[i + 1]
    if (issuer && !(certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey))) {
      throw new Error(
        `${tls.certFile}: certificate ${i + 2} did not issue the one before it; the server's own comes first`,
      )
    }
  }
  const clients = tls.clientCaFile === undefined ? [] : certificatesIn(tls.clientCaFile)
  if (tls.clientCaFile !== undefined) {
    if (clients.length === 0) throw new Error(`${tls.clientCaFile} holds no certificate`)
    const plain = clients.find(({ ca }) => !ca)
    if (plain) throw new Error(`${tls.clientCaFile}: ${nameOf(plain)} is not a certificate authority`)
    for (const certificate of clients) mustBeValid(certificate, tls.clientCaFile, now)
  }
  return {
    message: `${nameOf(leaf)}, valid until ${leaf.validTo}`,
    warnings: [
      ...[...all, ...clients]
        .filter((certificate) => Date.parse(certificate.validTo) - now < monthMs)
        .map((certificate) => `${nameOf(certificate)} ends within 30 days: ${certificate.validTo}`),
      ...(leaf.subjectAltName ? [] : [`${nameOf(leaf)} has no subject alternative name: clients refuse it`]),
      ...(leaf.ca ? [`${nameOf(leaf)} is a certificate authority: let it issue another for the server`] : []),
    ],
  }
}

function mustBeValid(certificate: X509Certificate, file: string, now: number): void {
  if (Date.parse(certificate.validFrom) > now) {
    throw new Error(`${file}: ${nameOf(certificate)} is not valid before ${certificate.validFrom}`)
  }
  if (Date.parse(certificate.validTo) <= now) {
    throw new Error(`${file}: ${nameOf(certificate)} ended at ${certificate.validTo}`)
  }
}

const nameOf = ({ subject, serialNumber }: X509Certificate) =>
  subject ? subject.replaceAll('\n', ', ') : `the certificate ${serialNumber}`

function certificatesIn(file: string): X509Certificate[] {
  const blocks = readFileSync(file, 'utf8').match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g)
  return (blocks ?? []).map((block) => new X509Certificate(block))
}

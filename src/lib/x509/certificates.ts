/** X.509 certificates (RFC 5280) on P-256: structures by @peculiar/asn1-x509, keys and signatures by node:crypto. */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { AsnConvert, OctetString } from '@peculiar/asn1-schema'
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  ExtendedKeyUsage,
  Extension,
  Extensions,
  GeneralName,
  id_ce_authorityKeyIdentifier,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_subjectAltName,
  id_ce_subjectKeyIdentifier,
  id_kp_clientAuth,
  id_kp_serverAuth,
  KeyIdentifier,
  KeyUsage,
  KeyUsageFlags,
  Name,
  RelativeDistinguishedName,
  SubjectAlternativeName,
  SubjectKeyIdentifier,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
} from '@peculiar/asn1-x509'
import type { RandomBytes } from '../random.ts'

/** A certificate and its private key (PKCS #8), both as PEM. */
export interface KeyedCertificate {
  readonly certPem: string
  readonly keyPem: string
}
export interface CaOptions {
  readonly commonName: string
  readonly random: RandomBytes
  /** Milliseconds since the epoch. */
  readonly now: number
  readonly validForMs: number
}
export interface LeafOptions extends CaOptions {
  /** Subject organisations: Kubernetes reads them as groups. */
  readonly organizations?: readonly string[]
  readonly dnsNames?: readonly string[]
  readonly ipAddresses?: readonly string[]
  /** What it may be used for; at least one. */
  readonly server?: boolean
  readonly client?: boolean
}

export const ecdsaWithSha256 = '1.2.840.10045.4.3.2'
const attribute = { commonName: '2.5.4.3', organization: '2.5.4.10' }
/** Clocks differ: a certificate that is valid only from this second on is refused by a peer that is a second behind. */
const backdateMs = 60_000

/** A self-signed certificate authority that signs leaves only (path length 0). */
export function createCa(options: CaOptions): KeyedCertificate {
  const subject = nameOf(options.commonName, [])
  const keys = newKeys()
  const extensions = [
    extension(id_ce_basicConstraints, new BasicConstraints({ cA: true, pathLenConstraint: 0 }), true),
    extension(id_ce_keyUsage, new KeyUsage(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign), true),
    extension(id_ce_subjectKeyIdentifier, new SubjectKeyIdentifier(keys.id)),
  ]
  return certify({ options, subject, issuer: subject, keys, signer: keys.privatePem, extensions })
}

/** A leaf signed by `ca`, with a new key. It never outlives its CA. Throws on an address that is no IP address. */
export function issueCertificate(ca: KeyedCertificate, options: LeafOptions): KeyedCertificate {
  const usages = [...(options.server ? [id_kp_serverAuth] : []), ...(options.client ? [id_kp_clientAuth] : [])]
  if (usages.length === 0) throw new Error('a certificate needs a use: server, client or both')
  const parsed = new X509Certificate(ca.certPem)
  const authority = AsnConvert.parse(parsed.raw, Certificate).tbsCertificate
  const keys = newKeys()
  const names = alternativeNames(options)
  const extensions = [
    extension(id_ce_basicConstraints, new BasicConstraints(), true),
    extension(id_ce_keyUsage, new KeyUsage(KeyUsageFlags.digitalSignature), true),
    extension(id_ce_extKeyUsage, new ExtendedKeyUsage(usages)),
    extension(id_ce_subjectKeyIdentifier, new SubjectKeyIdentifier(keys.id)),
    extension(
      id_ce_authorityKeyIdentifier,
      new AuthorityKeyIdentifier({
        keyIdentifier: new KeyIdentifier(keyId(authority.subjectPublicKeyInfo.subjectPublicKey)),
      }),
    ),
    ...(names.length > 0 ? [extension(id_ce_subjectAltName, new SubjectAlternativeName(names))] : []),
  ]
  const notAfterMax = Date.parse(parsed.validTo)
  const subject = nameOf(options.commonName, options.organizations ?? [])
  return certify({ options, subject, issuer: authority.subject, keys, signer: ca.keyPem, extensions, notAfterMax })
}

interface NewKeys {
  readonly info: SubjectPublicKeyInfo
  readonly id: ArrayBuffer
  readonly privatePem: string
}

export function newKeys(): NewKeys {
  const { publicKey, privateKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  const info = AsnConvert.parse(publicKey, SubjectPublicKeyInfo)
  return { info, id: keyId(info.subjectPublicKey), privatePem: privateKey }
}

/** RFC 7093 method 1: the leftmost 160 bits of SHA-256 of the public key. */
function keyId(subjectPublicKey: ArrayBuffer): ArrayBuffer {
  return arrayBuffer(createHash('sha256').update(Buffer.from(subjectPublicKey)).digest().subarray(0, 20))
}

function certify(c: {
  options: CaOptions
  subject: Name
  issuer: Name
  keys: NewKeys
  signer: string
  extensions: Extension[]
  notAfterMax?: number
}): KeyedCertificate {
  const { options } = c
  const notAfter = Math.min(options.now + options.validForMs, c.notAfterMax ?? Number.POSITIVE_INFINITY)
  const algorithm = new AlgorithmIdentifier({ algorithm: ecdsaWithSha256 })
  const tbsCertificate = new TBSCertificate({
    version: Version.v3,
    serialNumber: serialNumber(options.random),
    signature: algorithm,
    issuer: c.issuer,
    validity: new Validity({ notBefore: wholeSecond(options.now - backdateMs), notAfter: wholeSecond(notAfter) }),
    subject: c.subject,
    subjectPublicKeyInfo: c.keys.info,
    extensions: new Extensions(c.extensions),
  })
  const signed = Buffer.from(AsnConvert.serialize(tbsCertificate))
  const signature = sign('sha256', signed, createPrivateKey(c.signer))
  const certificate = new Certificate({
    tbsCertificate,
    signatureAlgorithm: algorithm,
    signatureValue: arrayBuffer(signature),
  })
  return { certPem: pem(Buffer.from(AsnConvert.serialize(certificate))), keyPem: c.keys.privatePem }
}

/** RFC 5280 4.1.2.2: positive and at most 20 octets; 127 bits of chance, never zero. */
function serialNumber(random: RandomBytes): ArrayBuffer {
  const bytes = Buffer.from(random(16))
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40
  return arrayBuffer(bytes)
}

export function nameOf(commonName: string, organizations: readonly string[]): Name {
  const part = (type: string, utf8String: string) =>
    new RelativeDistinguishedName([new AttributeTypeAndValue({ type, value: new AttributeValue({ utf8String }) })])
  return new Name([
    ...organizations.map((organization) => part(attribute.organization, organization)),
    part(attribute.commonName, commonName),
  ])
}

export function alternativeNames(options: Pick<LeafOptions, 'dnsNames' | 'ipAddresses'>): GeneralName[] {
  const addresses = (options.ipAddresses ?? []).map((iPAddress) => {
    if (isIP(iPAddress) === 0) throw new Error(`not an IP address: ${iPAddress}`)
    return new GeneralName({ iPAddress })
  })
  return [...(options.dnsNames ?? []).map((dNSName) => new GeneralName({ dNSName })), ...addresses]
}

export function extension(extnID: string, value: object, critical = false): Extension {
  return new Extension({ extnID, critical, extnValue: new OctetString(AsnConvert.serialize(value)) })
}

const wholeSecond = (ms: number) => new Date(Math.floor(ms / 1000) * 1000)

/** A copy of exactly these bytes: a Buffer's own ArrayBuffer may be the shared pool. */
export function arrayBuffer(bytes: Uint8Array): ArrayBuffer {
  const copy = new ArrayBuffer(bytes.byteLength)
  new Uint8Array(copy).set(bytes)
  return copy
}

export function pem(der: Buffer, label = 'CERTIFICATE'): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}

/** Whether `keyPem` is the private key of `certPem`. */
export function keyMatches(certificate: KeyedCertificate): boolean {
  const spki = { type: 'spki', format: 'der' } as const
  const own = createPublicKey(certificate.keyPem).export(spki)
  return own.equals(new X509Certificate(certificate.certPem).publicKey.export(spki))
}

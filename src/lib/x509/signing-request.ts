/** Certificate signing requests (PKCS #10, RFC 2986) on P-256, for a signer that somebody else runs. */
import { createPrivateKey, sign } from 'node:crypto'
import { AsnArray, AsnConvert, AsnProp, AsnPropTypes, AsnType, AsnTypeTypes } from '@peculiar/asn1-schema'
import {
  AlgorithmIdentifier,
  Attribute,
  Extensions,
  id_ce_subjectAltName,
  Name,
  SubjectAlternativeName,
  SubjectPublicKeyInfo,
} from '@peculiar/asn1-x509'
import { alternativeNames, arrayBuffer, ecdsaWithSha256, extension, nameOf, newKeys, pem } from './certificates.ts'

export interface SigningRequestOptions {
  readonly commonName: string
  readonly organizations?: readonly string[]
  readonly dnsNames?: readonly string[]
  readonly ipAddresses?: readonly string[]
}
/** The request and the new private key (PKCS #8), both as PEM. */
export interface SigningRequest {
  readonly requestPem: string
  readonly keyPem: string
}

/** PKCS #9: the extensions that the certificate is asked to have. */
const extensionRequest = '1.2.840.113549.1.9.14'

// The library declares structures by decorators, which are functions too: our source has only erasable syntax.
class Attributes extends AsnArray<Attribute> {}
AsnType({ type: AsnTypeTypes.Set, itemType: Attribute })(Attributes)

class RequestInfo {
  version = 0
  subject = new Name()
  subjectPublicKeyInfo = new SubjectPublicKeyInfo()
  attributes = new Attributes()
}
AsnType({ type: AsnTypeTypes.Sequence })(RequestInfo)
AsnProp({ type: AsnPropTypes.Integer })(RequestInfo.prototype, 'version')
AsnProp({ type: Name })(RequestInfo.prototype, 'subject')
AsnProp({ type: SubjectPublicKeyInfo })(RequestInfo.prototype, 'subjectPublicKeyInfo')
AsnProp({ type: Attributes, context: 0, implicit: true })(RequestInfo.prototype, 'attributes')

class Request {
  info = new RequestInfo()
  algorithm = new AlgorithmIdentifier()
  signature = new ArrayBuffer(0)
}
AsnType({ type: AsnTypeTypes.Sequence })(Request)
AsnProp({ type: RequestInfo })(Request.prototype, 'info')
AsnProp({ type: AlgorithmIdentifier })(Request.prototype, 'algorithm')
AsnProp({ type: AsnPropTypes.BitString })(Request.prototype, 'signature')

/** Throws on an address that is no IP address. */
export function createSigningRequest(options: SigningRequestOptions): SigningRequest {
  const keys = newKeys()
  const names = alternativeNames(options)
  const info = new RequestInfo()
  info.subject = nameOf(options.commonName, options.organizations ?? [])
  info.subjectPublicKeyInfo = keys.info
  if (names.length > 0) {
    const extensions = new Extensions([extension(id_ce_subjectAltName, new SubjectAlternativeName(names))])
    info.attributes.push(new Attribute({ type: extensionRequest, values: [AsnConvert.serialize(extensions)] }))
  }
  const request = new Request()
  request.info = info
  request.algorithm = new AlgorithmIdentifier({ algorithm: ecdsaWithSha256 })
  request.signature = arrayBuffer(
    sign('sha256', Buffer.from(AsnConvert.serialize(info)), createPrivateKey(keys.privatePem)),
  )
  return { requestPem: pem(Buffer.from(AsnConvert.serialize(request)), 'CERTIFICATE REQUEST'), keyPem: keys.privatePem }
}

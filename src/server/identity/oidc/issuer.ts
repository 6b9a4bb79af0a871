import { Refusal } from '../../contracts/request.ts'

/** '' for the server's own address. */
export function checkIssuer(issuer: string): void {
  if (issuer === '' || isOrigin(issuer)) return
  throw new Refusal(
    400,
    'invalid issuer, which must include only a scheme, host, and optional port (e.g. https://example.com:8200)',
  )
}

export const issuerWarning =
  'If "issuer" is set explicitly, all tokens must be validated against that address, including those issued by secondary clusters. Setting issuer to "" will restore the default behavior of using the cluster\'s api_addr as the issuer.'

function isOrigin(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined
  return url !== undefined && /^https?:$/.test(url.protocol) && url.origin === text.toLowerCase().replace(/\/$/, '')
}

/** What may be told of an error of AWS's SDK. Its message may not: those about signatures repeat headers of the request, session token included. */

const member = (error: unknown, name: string): unknown =>
  typeof error === 'object' && error !== null && name in error
    ? Object.entries(error).find(([key]) => key === name)?.[1]
    : undefined

/** AWS's own name of it (AccessDenied). It came over the network: what is no name is not told. */
export function awsErrorName(error: unknown): string {
  const name = error instanceof Error ? error.name : ''
  return /^[A-Za-z][\w.]{0,79}$/.test(name) ? name : 'unknown error'
}

/** Of a connection: ECONNREFUSED, ENOTFOUND, CERT_HAS_EXPIRED and the like; TimeoutError is the SDK's own. */
export function awsConnectionError(error: unknown): string | undefined {
  const code = member(error, 'code')
  if (typeof code === 'string' && /^[A-Z][A-Z0-9_]{2,59}$/.test(code)) return code
  return awsErrorName(error) === 'TimeoutError' ? 'timeout' : undefined
}

/** ", request 4442587FB7D0A2F9" for AWS's support, or nothing. */
export function awsRequest(error: unknown): string {
  const id = member(member(error, '$metadata'), 'requestId')
  return typeof id === 'string' && /^[\w-]{1,64}$/.test(id) ? `, request ${id}` : ''
}

export function awsStatus(error: unknown): number | undefined {
  const status = member(member(error, '$metadata'), 'httpStatusCode')
  return typeof status === 'number' ? status : undefined
}

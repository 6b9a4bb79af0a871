import { TransportError, type TransportRequest } from './transport.ts'

/** Node's error -> one that names the address and what to check; the first line is what Vault's client would say. */
export function explainFailure(
  error: unknown,
  context: { request: TransportRequest; address: string; timeoutMs: number },
): TransportError {
  const { request, address, timeoutMs } = context
  const code = codeOf(error)
  const told = reasons[code] ?? (codesOfCertificates.test(code) ? certificate(error, address) : undefined)
  const reason = told?.says ?? (error instanceof Error ? error.message : String(error))
  const hint = told?.check ?? hintFromText(reason, timeoutMs)
  const verb = request.method.charAt(0) + request.method.slice(1).toLowerCase()
  const line = `${verb} "${address.replace(/\/+$/, '')}${request.path}": ${reason}`
  return new TransportError(hint ? `${line}\n\n${hint}` : line, { cause: error, sent: told?.sent ?? true })
}

interface Reason {
  readonly says: string
  readonly check: string
  readonly sent: boolean
}

const reasons: Readonly<Record<string, Reason | undefined>> = {
  ECONNREFUSED: {
    says: 'connect: connection refused',
    check: 'Nothing listens there. Is the server running, and is the address (VAULT_ADDR or -address) right?',
    sent: false,
  },
  ENOENT: { says: 'connect: no such file or directory', check: 'There is no such socket file.', sent: false },
  ENOTFOUND: {
    says: 'lookup: no such host',
    check: 'The name does not resolve. Check the address (VAULT_ADDR or -address).',
    sent: false,
  },
  EAI_AGAIN: {
    says: 'lookup: temporary failure in name resolution',
    check: 'The name server did not answer.',
    sent: false,
  },
  EHOSTUNREACH: { says: 'connect: no route to host', check: 'No network path leads there.', sent: false },
  ENETUNREACH: { says: 'connect: network is unreachable', check: 'No network path leads there.', sent: false },
  EPROTO: {
    says: 'http: server gave HTTP response to HTTPS client',
    check: 'The server there does not speak TLS. If that is meant, write http:// in the address.',
    sent: false,
  },
  ERR_SSL_WRONG_VERSION_NUMBER: {
    says: 'http: server gave HTTP response to HTTPS client',
    check: 'The server there does not speak TLS. If that is meant, write http:// in the address.',
    sent: false,
  },
  ERR_SSL_PACKET_LENGTH_TOO_LONG: {
    says: 'http: server gave HTTP response to HTTPS client',
    check: 'The server there does not speak TLS. If that is meant, write http:// in the address.',
    sent: false,
  },
}

const codesOfCertificates = /CERT|SELF_SIGNED|UNABLE_TO_|ALTNAME|HOSTNAME_MISMATCH|INVALID_CA/

const certificate = (error: unknown, address: string): Reason => ({
  says: `tls: failed to verify certificate: ${error instanceof Error ? error.message : String(error)}`,
  check: `The certificate of ${address} was not accepted. Give the CA that signed it (VAULT_CACERT or -ca-cert).`,
  sent: false,
})

function hintFromText(reason: string, timeoutMs: number): string {
  if (reason === 'timed out') return `No answer within ${timeoutMs / 1000} s (VAULT_CLIENT_TIMEOUT).`
  if (reason === 'socket hang up') return 'The server closed the connection without an answer.'
  return ''
}

const codeOf = (error: unknown): string => {
  if (error instanceof AggregateError) return codeOf(error.errors[0])
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}

import { describe, expect, it } from 'vitest'
import { explainFailure } from './transport-failure.ts'

const explain = (error: Error, address = 'https://vault:8200') =>
  explainFailure(error, { request: { method: 'PUT', path: '/v1/secret/x', headers: {} }, address, timeoutMs: 500 })
const coded = (code: string, message = code) => Object.assign(new Error(message), { code })

describe('a request without an answer', () => {
  it.each([
    [coded('ECONNREFUSED'), 'connect: connection refused', 'VAULT_ADDR', false],
    [new AggregateError([coded('ECONNREFUSED')]), 'connect: connection refused', 'VAULT_ADDR', false],
    [coded('ENOTFOUND'), 'no such host', 'VAULT_ADDR', false],
    [coded('EPROTO'), 'server gave HTTP response to HTTPS client', 'http://', false],
    [coded('SELF_SIGNED_CERT_IN_CHAIN', 'self-signed'), 'failed to verify certificate', 'VAULT_CACERT', false],
    [coded('ERR_TLS_CERT_ALTNAME_INVALID', 'names'), 'failed to verify certificate', 'VAULT_CACERT', false],
    [coded('ECONNRESET', 'read ECONNRESET'), 'read ECONNRESET', '', true],
    [new Error('timed out'), 'timed out', '0.5 s', true],
  ])('%s names the address, what went wrong and what to check', (error, says, check, sent) => {
    const failure = explain(error)
    expect(failure.message).toContain('Put "https://vault:8200/v1/secret/x": ')
    expect(failure.message).toContain(says)
    expect(failure.message).toContain(check)
    expect(failure.sent).toBe(sent)
  })
})

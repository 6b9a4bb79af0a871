import { execFileSync } from 'node:child_process'
import { createPrivateKey, createPublicKey } from 'node:crypto'
import { existsSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { createSigningRequest } from './signing-request.ts'

const openssl = ['/usr/bin/openssl', '/opt/homebrew/bin/openssl'].find((path) => existsSync(path))
const run = (input: string, args: string[]) =>
  execFileSync(openssl ?? 'openssl', ['req', '-noout', ...args], { input, encoding: 'utf8', stdio: 'pipe' })

describe('a signing request', () => {
  const request = createSigningRequest({
    commonName: 'system:node:n1',
    organizations: ['system:nodes'],
    dnsNames: ['n1'],
    ipAddresses: ['127.0.0.1', '::1'],
  })

  it('is PEM, with a key of its own each time', () => {
    expect(request.requestPem).toMatch(/^-----BEGIN CERTIFICATE REQUEST-----\n/)
    expect(createPrivateKey(request.keyPem).asymmetricKeyType).toBe('ec')
    expect(createSigningRequest({ commonName: 'x' }).keyPem).not.toBe(request.keyPem)
  })

  // OpenSSL is the judge; macOS and Linux have it, and without it there is none.
  it.skipIf(!openssl)('is what OpenSSL reads and verifies, with subject, names and public key', () => {
    expect(run(request.requestPem, ['-verify', '-subject', '-nameopt', 'RFC2253'])).toContain(
      'CN=system:node:n1,O=system:nodes',
    )
    const text = run(request.requestPem, ['-text'])
    for (const name of ['DNS:n1', 'IP Address:127.0.0.1', 'IP Address:0:0:0:0:0:0:0:1']) expect(text).toContain(name)
    const shown = run(request.requestPem, ['-pubkey'])
    expect(createPublicKey(shown).export({ type: 'spki', format: 'pem' })).toBe(
      createPublicKey(request.keyPem).export({ type: 'spki', format: 'pem' }),
    )
  })

  it('refuses an address that is none', () => {
    expect(() => createSigningRequest({ commonName: 'x', ipAddresses: ['node'] })).toThrow('not an IP address: node')
  })
})

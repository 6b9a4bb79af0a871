import { X509Certificate } from 'node:crypto'
import { Duplex } from 'node:stream'
import { connect, createServer } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { systemRandom } from '../random.ts'
import { createCa, issueCertificate, type KeyedCertificate, keyMatches, type LeafOptions } from './certificates.ts'

const hour = 3_600_000
const now = Date.now()
const base = { random: systemRandom, now, validForMs: hour }
const newCa = (commonName = 'coffer test CA') => createCa({ ...base, commonName, validForMs: 24 * hour })
const issue = (ca: KeyedCertificate, options: Partial<LeafOptions> = {}) =>
  issueCertificate(ca, { ...base, commonName: 'leaf', server: true, ...options })

/** Two streams that are each other's other end. */
function pipe(): [Duplex, Duplex] {
  const ends: Duplex[] = []
  const end = (other: () => Duplex | undefined) =>
    new Duplex({
      read() {},
      write(chunk, _encoding, done) {
        other()?.push(chunk)
        done()
      },
      final(done) {
        other()?.push(null)
        done()
      },
    })
  const a = end(() => ends[1])
  const b = end(() => ends[0])
  ends.push(a, b)
  return [a, b]
}

/** A TLS handshake in memory; resolves with the server's view of the client, rejects as the client does. */
function handshake(o: { server: KeyedCertificate; ca: string; servername: string; client?: KeyedCertificate }) {
  const [near, far] = pipe()
  const server = createServer({
    cert: o.server.certPem,
    key: o.server.keyPem,
    ca: o.ca,
    requestCert: o.client !== undefined,
    rejectUnauthorized: false,
  })
  const client = connect({
    socket: near,
    ca: o.ca,
    servername: o.servername,
    ...(o.client ? { cert: o.client.certPem, key: o.client.keyPem } : {}),
  })
  return new Promise<{ authorized: boolean; subject: unknown }>((resolve, reject) => {
    client.on('error', reject)
    // The server may finish first: only bytes that the client sent after its own checks prove that it went along.
    client.on('secureConnect', () => client.write('x'))
    server.on('secureConnection', (socket) =>
      socket.on('data', () => resolve({ authorized: socket.authorized, subject: socket.getPeerCertificate().subject })),
    )
    server.on('tlsClientError', () => {})
    server.emit('connection', far)
  }).finally(() => client.destroy())
}

describe('certificates', () => {
  it('a leaf verifies against its CA and not against another of the same name', () => {
    const ca = newCa()
    const leaf = issue(ca, { dnsNames: ['api.test', '*.svc.test'], ipAddresses: ['127.0.0.1', '::1'] })
    const parsed = new X509Certificate(leaf.certPem)
    const authority = new X509Certificate(ca.certPem)
    expect(authority.ca).toBe(true)
    expect(parsed.ca).toBe(false)
    expect(authority.verify(authority.publicKey)).toBe(true)
    expect(parsed.verify(authority.publicKey)).toBe(true)
    expect(parsed.checkIssued(authority)).toBe(true)
    expect(parsed.verify(new X509Certificate(newCa().certPem).publicKey)).toBe(false)
    expect(parsed.checkHost('api.test')).toBe('api.test')
    expect(parsed.checkHost('x.svc.test')).toBe('*.svc.test')
    expect(parsed.checkHost('other.test')).toBeUndefined()
    expect(parsed.checkIP('127.0.0.1')).toBe('127.0.0.1')
    expect(parsed.checkIP('::1')).toBe('::1')
    expect(parsed.checkIP('127.0.0.2')).toBeUndefined()
    expect(keyMatches(leaf)).toBe(true)
    expect(keyMatches({ ...leaf, keyPem: ca.keyPem })).toBe(false)
  })

  it('a TLS client that trusts the CA connects by name and by address, any other is refused', async () => {
    const ca = newCa()
    const server = issue(ca, { dnsNames: ['api.test'] })
    await expect(handshake({ server, ca: ca.certPem, servername: 'api.test' })).resolves.toBeDefined()
    await expect(handshake({ server, ca: ca.certPem, servername: 'evil.test' })).rejects.toThrow(/altnames/)
    await expect(handshake({ server, ca: newCa().certPem, servername: 'api.test' })).rejects.toThrow(/certificate/)
  })

  it('a client certificate carries its user and groups and is authorised only for its use', async () => {
    const ca = newCa()
    const server = issue(ca, { dnsNames: ['api.test'] })
    const client = issue(ca, { server: false, client: true, commonName: 'admin', organizations: ['system:masters'] })
    const good = await handshake({ server, ca: ca.certPem, servername: 'api.test', client })
    expect(good).toEqual({ authorized: true, subject: expect.objectContaining({ CN: 'admin', O: 'system:masters' }) })
    const wrongUse = await handshake({ server, ca: ca.certPem, servername: 'api.test', client: server })
    expect(wrongUse.authorized).toBe(false)
  })

  it('serials are positive and differ, and no leaf outlives its CA', () => {
    const ca = newCa()
    const leaves = Array.from({ length: 20 }, () => new X509Certificate(issue(ca, { validForMs: 900 * hour }).certPem))
    expect(new Set(leaves.map((leaf) => leaf.serialNumber)).size).toBe(20)
    for (const leaf of leaves) {
      expect(leaf.serialNumber).toMatch(/^[4-7][0-9A-F]{31}$/)
      expect(leaf.validTo).toBe(new X509Certificate(ca.certPem).validTo)
    }
  })

  it('dates after 2049 are written so that they are read back', () => {
    const ca = createCa({ ...base, commonName: 'long', validForMs: 40 * 365 * 24 * hour })
    expect(Math.abs(Date.parse(new X509Certificate(ca.certPem).validTo) - now - 40 * 365 * 24 * hour)).toBeLessThan(
      2000,
    )
  })

  it('refuses a certificate without a use and an address that is none', () => {
    const ca = newCa()
    expect(() => issue(ca, { server: false })).toThrow('needs a use')
    expect(() => issue(ca, { ipAddresses: ['localhost'] })).toThrow('not an IP address: localhost')
  })
})

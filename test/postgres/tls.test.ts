/** TLS to a real PostgreSQL: whose certificate is believed, and who is let in by one. */
import { X509Certificate } from 'node:crypto'
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemRandom } from '../../src/lib/random.ts'
import { makeDevCertificates } from '../../src/programs/server/node/dev-certificates.ts'
import { open, put } from './open-storage.ts'
import { type PostgresServer, startPostgres } from './postgres-server.ts'

const folder = mkdtempSync(join(tmpdir(), 'coffer-postgres-tls-'))
let server: PostgresServer
beforeAll(async () => {
  chmodSync(folder, 0o755)
  await makeDevCertificates({ directory: folder, host: '127.0.0.1', now: Date.now(), random: systemRandom })
  if (process.getuid?.() === 0)
    for (const name of ['vault-key.pem', 'vault-cert.pem']) chownSync(join(folder, name), 65534, 65534)
  chmodSync(join(folder, 'vault-key.pem'), 0o600)
  server = await startPostgres({
    ssl: 'on',
    ssl_cert_file: join(folder, 'vault-cert.pem'),
    ssl_key_file: join(folder, 'vault-key.pem'),
  })
})
afterAll(async () => {
  await server?.close()
  rmSync(folder, { recursive: true, force: true })
})

/** A loaded machine must not run into the deadline of a connection. */
const patiently = '&connect_timeout=60'

const connected = async (parameters: string, host = '127.0.0.1') => {
  const backend = await open(server.url('postgres', `${parameters}${patiently}`).replace('@127.0.0.1:', `@${host}:`))
  await backend.commit(put('a'))
  const encrypted = await server.sql(
    "SELECT DISTINCT s.ssl FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE a.application_name = 'coffer'",
  )
  await backend.close()
  return encrypted
}

describe('a connection with TLS', () => {
  it('is encrypted with each mode but disable', async () => {
    const root = `&sslrootcert=${join(folder, 'vault-ca.pem')}`
    expect(await connected('?sslmode=disable')).toEqual(['false'])
    expect(await connected('?sslmode=require')).toEqual(['true'])
    expect(await connected(`?sslmode=verify-ca${root}`)).toEqual(['true'])
    expect(await connected(`?sslmode=verify-full${root}`)).toEqual(['true'])
    expect(await connected(`?sslmode=verify-full${root}`, 'localhost')).toEqual(['true'])
  })

  it('is refused when the certificate is of nobody it knows, or of another host', async () => {
    expect(readFileSync(join(folder, 'vault-ca.pem'), 'utf8')).toContain('CERTIFICATE')
    await expect(connected('?sslmode=verify-full')).rejects.toThrow('unable to verify the first certificate')
    await expect(connected('?sslmode=verify-ca')).rejects.toThrow('unable to verify the first certificate')
    const root = `&sslrootcert=${join(folder, 'vault-ca.pem')}`
    const names = new X509Certificate(readFileSync(join(folder, 'vault-cert.pem'))).subjectAltName
    expect(String(names)).not.toContain('127.0.0.2')
    await expect(connected(`?sslmode=verify-full${root}`, '127.0.0.2')).rejects.toThrow(
      'altnames: IP: 127.0.0.2 is not in',
    )
    expect(await connected(`?sslmode=verify-ca${root}`, '127.0.0.2')).toEqual(['true'])
  })
})

describe('a server without TLS', () => {
  it('is not fallen back to', async () => {
    const plain = await startPostgres()
    try {
      await expect(open(plain.url('postgres', '?sslmode=require'))).rejects.toThrow('does not support SSL')
    } finally {
      await plain.close()
    }
  })
})

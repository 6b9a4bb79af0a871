import { X509Certificate } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, describe, expect, it } from 'vitest'
import { systemRandom } from '../../../lib/random.ts'
import { parseConfiguration } from '../configuration.ts'
import { makeDevCertificates } from './dev-certificates.ts'
import { printDev } from './dev-mode.ts'
import { LogFile, writePidFile } from './process-files.ts'
import { startReport } from './start-report.ts'

const root = mkdtempSync(join(tmpdir(), 'coffer-node-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const certificates = (directory: string) =>
  makeDevCertificates({ directory, host: '127.0.0.1', now: Date.now(), random: systemRandom })

describe('development certificates', () => {
  it('are for this machine, in a folder that goes with them', async () => {
    const made = await certificates('')
    const leaf = new X509Certificate(readFileSync(made.certFile))
    expect(leaf.checkIP('127.0.0.1')).toBe('127.0.0.1')
    expect(leaf.checkHost('localhost')).toBe('localhost')
    expect(leaf.verify(new X509Certificate(readFileSync(made.caFile)).publicKey)).toBe(true)
    expect(statSync(made.keyFile).mode & 0o777).toBe(0o600)
    made.remove()
    expect(existsSync(made.caFile)).toBe(false)
  })

  it('stay in a folder that was given, which must be there', async () => {
    const made = await certificates(root)
    made.remove()
    expect(existsSync(made.keyFile)).toBe(true)
    await expect(certificates(join(root, 'nothing'))).rejects.toThrow()
  })
})

describe('files of the process', () => {
  it('the log is appended to, and follows its name after a rotation', () => {
    const path = join(root, 'server.log')
    const file = new LogFile({ path })
    file.write('one\n')
    renameSync(path, `${path}.1`)
    file.write('two\n')
    file.reopen()
    file.write('three\n')
    file.close()
    expect([readFileSync(`${path}.1`, 'utf8'), readFileSync(path, 'utf8')]).toEqual(['one\ntwo\n', 'three\n'])
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  it('the pid is there while the server is', () => {
    const path = join(root, 'pid')
    const remove = writePidFile(path, 4711)
    expect(readFileSync(path, 'utf8')).toBe('4711')
    remove()
    expect(existsSync(path)).toBe(false)
    const removeOld = writePidFile(path, 4711)
    const removeNew = writePidFile(path, 4712)
    removeOld()
    expect(readFileSync(path, 'utf8')).toBe('4712')
    removeNew()
    expect(existsSync(path)).toBe(false)
  })
})

describe('what is printed at the start', () => {
  it('is Vault’s block', () => {
    const config = parseConfiguration(
      'storage "inmem" {}\nlistener "tcp" {\n address = "[::1]:8200"\n tls_disable = 1\n}',
    )
    const text = startReport(config, { address: 'http://a', versions: { vault: '2.6.0', coffer: '1.0.0' } })
    expect(text).toMatch(/^==> Vault server configuration:\n\n {13}Api Address: http:\/\/a\n/)
    expect(text).toContain('              Listener 1: tcp (addr: "[::1]:8200", max_request_duration: "1m30s", ')
    expect(text).toContain('                 Storage: inmem\n')
  })

  it('of a development server has what scripts look for, each on its line', () => {
    const stdout = new PassThrough()
    const io = { stdout } as unknown as Parameters<typeof printDev>[0]
    printDev(io, 'http://127.0.0.1:8200', { unsealKey: 'key', rootToken: 'root' })
    const text = String(stdout.read())
    expect(text).toMatch(/^Unseal Key: key$/m)
    expect(text).toMatch(/^Root Token: root$/m)
    expect(text).toMatch(/^ {4}\$ export VAULT_ADDR='http:\/\/127\.0\.0\.1:8200'$/m)
    printDev(io, 'http://x', undefined)
    expect(String(stdout.read())).not.toContain('Root Token')
  })
})

/** A server that does not start: it ends, whatever it had begun beside its start. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { root } from './server-process.ts'

const folder = mkdtempSync(join(tmpdir(), 'coffer-failed-start-'))
beforeAll(() => {
  execFileSync(process.execPath, [join(root, 'scripts/build.mjs'), '--if-stale'])
})
afterAll(() => rmSync(folder, { recursive: true }))

/** With a seal whose server is away: its token is asked for again and again. */
const configuration = (path: string) => `
  storage "lmdb" { path = "${path}" }
  listener "tcp" {
    address = "127.0.0.1:0"
    tls_disable = true
  }
  seal "transit" {
    address = "http://127.0.0.1:9"
    token = "canary-token"
    key_name = "root"
    mount_path = "transit"
  }
`

describe('a server whose storage can not be opened', () => {
  const places = [
    { what: 'because a file is in its way', path: join(folder, 'server.hcl', 'storage'), why: 'EEXIST' },
    { what: 'because the system makes no folders there', path: '/proc/coffer-nothing/storage', why: 'ENOENT' },
  ]
  it.each(process.platform === 'linux' ? places : places.slice(0, 1))('$what says so and ends', ({ path, why }) => {
    const file = join(folder, 'server.hcl')
    writeFileSync(file, configuration(path))
    const args = [join(root, 'bin/coffer'), 'server', `-config=${file}`]
    const env = { PATH: process.env['PATH'] }
    // SIGKILL, as one that is busy for ever does not hear of anything else.
    const ended = spawnSync(process.execPath, args, { env, encoding: 'utf8', timeout: 30_000, killSignal: 'SIGKILL' })
    expect([ended.status, ended.signal]).toEqual([1, null])
    expect(ended.stdout + ended.stderr).toContain('storage not opened')
    expect(ended.stdout + ended.stderr).toContain(why)
    expect(ended.stdout + ended.stderr).not.toContain('canary')
  })
})

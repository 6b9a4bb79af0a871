import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { root } from './server-process.ts'

const coffer = join(root, 'bin/coffer')
const folder = mkdtempSync(join(tmpdir(), 'coffer-launcher-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** In place of Node.js: prints its arguments, one a line. */
const bin = join(folder, 'bin')
mkdirSync(bin)
writeFileSync(join(bin, 'node'), '#!/bin/sh\nprintf "%s\\n" "$@"\n', { mode: 0o755 })

const started = (program: string, args: readonly string[], env: Record<string, string> = {}) =>
  String(execFileSync(program, [...args], { cwd: folder, env: { PATH: `${bin}:/usr/bin:/bin`, ...env } }))
    .trimEnd()
    .split('\n')

const flags = ['--use-largepages=silent', '--min-semi-space-size=16']

describe('bin/coffer', () => {
  it('starts a server under the flags that make it fast, its arguments as they came', () => {
    const args = ['server', '-config=a file', '', '*']
    expect(started(coffer, args)).toEqual([...flags, coffer, ...args])
  })

  it.each([[['kv', 'get', 'server']], [['agent', '-config=x']], [[]]])('starts %j under none', (args) => {
    expect(started(coffer, args)).toEqual([coffer, ...args])
  })

  it('takes the flags of COFFER_NODE_FLAGS in their place, be it none', () => {
    const other = { COFFER_NODE_FLAGS: '--use-largepages=off --title=x' }
    expect(started(coffer, ['server'], other)).toEqual(['--use-largepages=off', '--title=x', coffer, 'server'])
    expect(started(coffer, ['server'], { COFFER_NODE_FLAGS: '' })).toEqual([coffer, 'server'])
  })

  it('passes on the name by which it was called', () => {
    symlinkSync(coffer, join(folder, 'vault'))
    expect(started('./vault', ['server'])).toEqual([...flags, './vault', 'server'])
  })

  it('is in the place of the shell: the same process, the same channel', async () => {
    const code = 'process.send(process.pid); process.disconnect()'
    writeFileSync(join(folder, 'really'), `#!/bin/sh\nexec ${process.execPath} -e '${code}'\n`, { mode: 0o755 })
    mkdirSync(join(folder, 'other'))
    symlinkSync(join(folder, 'really'), join(folder, 'other/node'))
    const child = spawn(coffer, ['server'], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      env: { PATH: `${join(folder, 'other')}:/usr/bin:/bin` },
    })
    const said = await new Promise((done) => child.once('message', done))
    expect(said).toBe(child.pid)
  })

  it('is a program for Node.js alone as well', () => {
    const said = String(execFileSync(process.execPath, [coffer, 'version']))
    expect(said).toBe(String(execFileSync(coffer, ['version'])))
    expect(said).toMatch(/^Coffer v/)
  })
})

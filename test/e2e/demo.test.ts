import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually, mountsBelow, processesOf, runDev } from './dev-run.ts'

let scratch: string
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'coffer-demo-test-'))
})
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

describe('coffer dev', () => {
  it('two demos at once end with 0 and leave nothing behind', async () => {
    const runs = [runDev(scratch, 'one', ['--demo', '--exit']), runDev(scratch, 'two', ['--demo', '--exit'])]
    const codes = await Promise.all(runs.map((run) => run.ended))
    for (const [index, run] of runs.entries()) {
      expect(codes[index], run.text()).toBe(0)
      expect(run.text()).toMatch(/secret changed -> file \d+ ms, Secret \d+ ms/)
      expect(run.text()).toContain('Stale=True')
      expect(run.text()).toContain('spec.selector: Required value')
      expect(run.text()).not.toContain('\u001b[')
      expect(readdirSync(run.dir)).toEqual([])
      // Not ~/.kube, not ~/.vault-token, nothing.
      expect(readdirSync(run.home)).toEqual([])
      expect(processesOf(run.dir)).toEqual([])
    }
  })

  it('SIGKILL of the parent leaves no process, mount or folder', async () => {
    const run = runDev(scratch, 'killed', ['--demo'])
    await run.up()
    expect(processesOf(run.dir).length).toBeGreaterThan(5)
    run.child.kill('SIGKILL')
    await run.ended
    await eventually('its processes end', 20_000, () => processesOf(run.dir).length === 0)
    await eventually('its folder goes', 10_000, () => readdirSync(run.dir).length === 0)
    expect(mountsBelow(run.dir)).toEqual([])
  })

  it('SIGINT ends it with 0 and leaves nothing behind', async () => {
    const run = runDev(scratch, 'interrupted', [])
    await run.up()
    run.child.kill('SIGINT')
    expect(await run.ended, run.text()).toBe(0)
    expect(readdirSync(run.dir)).toEqual([])
    expect(processesOf(run.dir)).toEqual([])
  })

  it('a part that dies ends the run with 1, named, with its last lines', async () => {
    const run = runDev(scratch, 'broken', [])
    await run.up()
    const controller = processesOf(run.dir).find((line) => line.includes(' controller '))
    expect(controller).toBeDefined()
    execFileSync('kill', ['-9', controller?.split(' ')[0] ?? ''])
    expect(await run.ended).toBe(1)
    expect(run.text()).toMatch(/controller: ended by SIGKILL/)
    expect(run.text()).toContain('controller.log')
    expect(readdirSync(run.dir)).toEqual([])
  })

  it('refuses what it does not know, and teaches', async () => {
    const run = runDev(scratch, 'wrong', ['--bogus'])
    expect(await run.ended).toBe(1)
    expect(run.text()).toContain("Unknown option '--bogus'")
    expect(run.text()).toContain('--demo')
  })

  it('keeps away from a folder that a server uses, and says when the shell speaks to another server', async () => {
    const dir = join(scratch, 'production')
    mkdirSync(dir)
    writeFileSync(join(dir, 'server.hcl'), 'listener "tcp" {}\nstorage "lmdb" {}\n')
    const refused = runDev(scratch, 'beside', ['--dir', dir])
    expect(await refused.ended).toBe(1)
    expect(refused.text()).toContain('holds the configuration of a server (server.hcl)')
    expect(readdirSync(dir)).toEqual(['server.hcl'])
    const warned = runDev(scratch, 'elsewhere', ['--kubeconfig', '/nowhere'], { VAULT_ADDR: 'https://vault.example' })
    expect(await warned.ended).toBe(1)
    expect(warned.text()).toContain('VAULT_ADDR=https://vault.example: commands in this shell go there')
    expect(warned.text()).toContain('cannot read /nowhere')
  })
})

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { root } from './server-process.ts'

let scratch: string
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'coffer-demo-test-'))
})
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

interface Run {
  readonly child: ChildProcess
  readonly dir: string
  readonly home: string
  text(): string
  readonly ended: Promise<number | null>
}

function runDev(name: string, args: readonly string[], env: Record<string, string> = {}): Run {
  const dir = join(scratch, name)
  const home = join(scratch, `${name}-home`)
  mkdirSync(dir)
  mkdirSync(home)
  const child = spawn(process.execPath, [join(root, 'bin/coffer'), 'dev', '--dir', dir, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], HOME: home, TMPDIR: dir, ...env },
  })
  let text = ''
  child.stdout?.on('data', (data) => (text += data))
  child.stderr?.on('data', (data) => (text += data))
  return { child, dir, home, text: () => text, ended: new Promise((done) => child.once('exit', (code) => done(code))) }
}

/** Processes whose command line or environment names the run's folder, as "pid command line". */
function processesOf(dir: string): string[] {
  if (process.platform !== 'linux') return []
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid)
    .flatMap((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
        const names = command.includes(dir) || readFileSync(`/proc/${pid}/environ`, 'utf8').includes(dir)
        return names ? [`${pid} ${command}`] : []
      } catch {
        // It ended between the listing and the look.
        return []
      }
    })
}

async function eventually(what: string, withinMs: number, probe: () => boolean): Promise<void> {
  const deadline = Date.now() + withinMs
  while (!probe()) {
    if (Date.now() > deadline) throw new Error(`${what}: not within ${withinMs} ms`)
    await new Promise((done) => setTimeout(done, 50))
  }
}

const mountsBelow = (dir: string) =>
  existsSync('/proc/mounts')
    ? readFileSync('/proc/mounts', 'utf8')
        .split('\n')
        .filter((line) => line.includes(dir))
    : []

describe('coffer dev', () => {
  it('two demos at once end with 0 and leave nothing behind', async () => {
    const runs = [runDev('one', ['--demo', '--exit']), runDev('two', ['--demo', '--exit'])]
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
    const run = runDev('killed', ['--demo'])
    await eventually(
      'the demo is up',
      90_000,
      () => run.text().includes('Ctrl-C ends everything') || run.child.exitCode !== null,
    )
    expect(run.child.exitCode, run.text()).toBe(null)
    expect(processesOf(run.dir).length).toBeGreaterThan(5)
    run.child.kill('SIGKILL')
    await run.ended
    await eventually('its processes end', 20_000, () => processesOf(run.dir).length === 0)
    await eventually('its folder goes', 10_000, () => readdirSync(run.dir).length === 0)
    expect(mountsBelow(run.dir)).toEqual([])
  })

  it('SIGINT ends it with 0 and leaves nothing behind', async () => {
    const run = runDev('interrupted', [])
    await eventually(
      'it is up',
      60_000,
      () => run.text().includes('Ctrl-C ends everything') || run.child.exitCode !== null,
    )
    run.child.kill('SIGINT')
    expect(await run.ended, run.text()).toBe(0)
    expect(readdirSync(run.dir)).toEqual([])
    expect(processesOf(run.dir)).toEqual([])
  })

  it('a part that dies ends the run with 1, named, with its last lines', async () => {
    const run = runDev('broken', [])
    await eventually(
      'it is up',
      60_000,
      () => run.text().includes('Ctrl-C ends everything') || run.child.exitCode !== null,
    )
    const controller = processesOf(run.dir).find((line) => line.includes(' controller '))
    expect(controller).toBeDefined()
    execFileSync('kill', ['-9', controller?.split(' ')[0] ?? ''])
    expect(await run.ended).toBe(1)
    expect(run.text()).toMatch(/controller: ended by SIGKILL/)
    expect(run.text()).toContain('controller.log')
    expect(readdirSync(run.dir)).toEqual([])
  })

  it('refuses what it does not know, and teaches', async () => {
    const run = runDev('wrong', ['--bogus'])
    expect(await run.ended).toBe(1)
    expect(run.text()).toContain("Unknown option '--bogus'")
    expect(run.text()).toContain('--demo')
  })
})

/** `coffer dev` of the built program in a process of its own, for tests: started, watched, ended, and what it left behind. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './server-process.ts'

export interface DevRun {
  readonly child: ChildProcess
  /** The run's folder is below. */
  readonly dir: string
  readonly home: string
  text(): string
  readonly ended: Promise<number | null>
  /** Resolves when it stays up; rejects with what it said when it ended. */
  up(): Promise<void>
}

export function runDev(
  scratch: string,
  name: string,
  args: readonly string[],
  env: Record<string, string> = {},
): DevRun {
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
  const ended = new Promise<number | null>((done) => child.once('exit', (code) => done(code)))
  const up = () =>
    eventually(`${name} is up`, 90_000, () => {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}:\n${text}`)
      return text.includes('Ctrl-C ends everything')
    })
  return { child, dir, home, text: () => text, ended, up }
}

/** Processes whose command line or environment names the run's folder, as "pid command line". */
export function processesOf(dir: string): string[] {
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

export async function eventually(
  what: string,
  withinMs: number,
  probe: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = Date.now() + withinMs
  while (!(await probe())) {
    if (Date.now() > deadline) throw new Error(`${what}: not within ${withinMs} ms`)
    await new Promise((done) => setTimeout(done, 50))
  }
}

export const mountsBelow = (dir: string) =>
  existsSync('/proc/mounts')
    ? readFileSync('/proc/mounts', 'utf8')
        .split('\n')
        .filter((line) => line.includes(dir))
    : []

/** What Linux knows of processes: their children, their processor time, their memory. */
import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { delimiter, dirname } from 'node:path'

const ticksPerSecond = 100

/** A process and all below it. */
export function treeOf(pid: number): number[] {
  return [pid, ...childrenOf(pid).flatMap(treeOf)]
}

function childrenOf(pid: number): number[] {
  try {
    const tasks = readdirSync(`/proc/${pid}/task`)
    return tasks.flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number),
    )
  } catch {
    return []
  }
}

/** User and system time since its start, its threads' included, of all of these. */
export function cpuSeconds(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + cpuOf(pid), 0)
}

function cpuOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name before it may have spaces and brackets.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
  } catch {
    return 0
  }
}

/** Memory that is no file's: neither programs nor the pages of LMDB, which the system can drop. */
export function rssAnonMb(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + rssAnonOf(pid), 0) / 1024
}

function rssAnonOf(pid: number): number {
  try {
    return Number(/RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)
  } catch {
    return 0
  }
}

/** Processor seconds of the whole machine since its start: all, and those in which nothing ran. */
export function machineCpu(): { readonly busy: number; readonly idle: number } {
  const [user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, soft = 0] = (
    /^cpu +(.*)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1] ?? ''
  )
    .split(' ')
    .map((ticks) => Number(ticks) / ticksPerSecond)
  return { busy: user + nice + system + irq + soft, idle: idle + wait }
}

export interface Started<T> {
  readonly child: ChildProcess
  readonly pid: number
  /** What it said when it was ready. */
  readonly said: T
}

/** A program of this repository under this Node.js, once `ready` finds in its messages or output what it waits for. */
export async function startProgram<T>(options: {
  readonly what: string
  /** What is run; one that starts Node.js itself finds this one. */
  readonly command: readonly [string, ...string[]]
  readonly env?: Readonly<Record<string, string>>
  readonly ready: (message: unknown, output: string) => T | undefined
}): Promise<Started<T>> {
  const [program, ...args] = options.command
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { PATH: pathOfThisNode(), ...options.env },
  })
  let output = ''
  const said = await new Promise<T>((done, fail) => {
    const look = (message: unknown) => {
      const found = options.ready(message, output)
      if (found !== undefined) done(found)
    }
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (data) => {
        // Only for an error's text: what a server logs for minutes is not kept.
        output = (output + data).slice(-4000)
        look(undefined)
      })
    }
    child.on('message', look)
    child.once('error', fail)
    child.once('exit', (code, signal) => fail(new Error(`${options.what} ended with ${code ?? signal}:\n${output}`)))
  })
  return { child, pid: child.pid ?? 0, said }
}

/** With this Node.js before any other. */
export const pathOfThisNode = (): string => [dirname(process.execPath), process.env['PATH']].join(delimiter)

/** In order; by force, with all that it started, when it takes longer than the deadline. */
export async function stopProgram(child: ChildProcess, deadlineMs = 20_000): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise<void>((done) => child.once('exit', () => done()))
  const tree = treeOf(child.pid ?? 0)
  child.kill('SIGTERM')
  const force = setTimeout(() => {
    for (const pid of tree) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It had ended.
      }
    }
  }, deadlineMs)
  await gone
  clearTimeout(force)
}

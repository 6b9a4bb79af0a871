/** One process group per container, which ends when its process, its runner or the runner's patience ends. */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Launch } from '../isolation/isolation.ts'

export interface RunningProcess {
  /** Of the watcher, which leads the group. */
  readonly pid: number
  /** The exit status as a shell has it (128 + signal); resolves when nothing of the group is left and all output was read. */
  readonly exited: Promise<number>
  signal(signal: 'SIGTERM' | 'SIGKILL'): void
}

/**
 * Runs the command and hands its status on. Descriptor 3 is a pipe that only the runner holds open: when it closes, the
 * runner is gone, however it ended, and the whole group is killed.
 */
const watcher = `trap : TERM INT HUP
"$@" 3<&- &
child=$!
( trap '' TERM INT HUP; read -r _ <&3; kill -KILL 0 ) >/dev/null 2>&1 &
watch=$!
while :; do
  code=0
  wait "$child" || code=$?
  kill -0 "$child" 2>/dev/null || break
done
kill -KILL "$watch"
exit "$code"`

/** How long after the end output may still come from what was left in the group. */
const drainMs = 2000

/** Throws nothing: a command that cannot be started ends with 127 and says so in its output. */
export function startProcess(launch: Launch, onOutput: (chunk: Buffer) => void): RunningProcess {
  const child = spawn('/bin/sh', ['-c', watcher, 'coffer-container', ...launch.argv], {
    cwd: launch.cwd,
    env: launch.env,
    // A group of its own, so that a signal reaches all of the container and nothing else.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
  child.stdout?.on('data', onOutput)
  child.stderr?.on('data', onOutput)
  // Its only use is to close.
  child.stdio[3]?.on('error', () => {})
  return { pid: child.pid ?? 0, exited: endOf(child, onOutput), signal: (signal) => signalGroup(child.pid, signal) }
}

function endOf(child: ChildProcess, onOutput: (chunk: Buffer) => void): Promise<number> {
  return new Promise((resolve) => {
    let code = 127
    child.on('error', (error) => {
      onOutput(Buffer.from(`pod runner: ${error.message}\n`))
      resolve(code)
    })
    child.on('exit', (status, signal) => {
      code = status ?? 128 + (signal === 'SIGKILL' ? 9 : 15)
      // What the command left behind ends with it, as in a container.
      signalGroup(child.pid, 'SIGKILL')
      setTimeout(() => resolve(code), drainMs).unref()
    })
    child.on('close', () => resolve(code))
  })
}

function signalGroup(pid: number | undefined, signal: 'SIGTERM' | 'SIGKILL'): void {
  if (!pid) return
  try {
    process.kill(-pid, signal)
  } catch {
    // Nobody is left.
  }
}

import { AgentFailure } from '../failure.ts'

/** Ends the command when the signal aborts. */
export type RunCommand = (command: string, signal: AbortSignal) => Promise<void>

const timeoutMs = 30_000

/** Runs by `sh -c`, with the agent's environment, at most 30 s. Its output is not logged: it may hold secrets. */
export const runShell: RunCommand = async (command, signal) => {
  const { spawn } = await import('node:child_process')
  signal.throwIfAborted()
  await new Promise<void>((resolve, reject) => {
    // A process group of its own, so that what the command started ends with it.
    const child = spawn('/bin/sh', ['-c', command], { stdio: 'ignore', detached: true })
    const kill = () => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
      } catch {
        // It has just ended.
      }
    }
    const timer = setTimeout(kill, timeoutMs)
    const settle = (act: () => void) => {
      clearTimeout(timer)
      signal.removeEventListener('abort', kill)
      act()
    }
    signal.addEventListener('abort', kill, { once: true })
    child.on('error', (cause) =>
      settle(() => reject(new AgentFailure('the command of a template could not be started', { cause }))),
    )
    child.on('close', (code, killedBy) => {
      const how = killedBy ?? `status ${code}`
      if (code === 0) settle(resolve)
      else settle(() => reject(new AgentFailure(`the command of a template ended with ${how}`)))
    })
  })
}

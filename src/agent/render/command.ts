import { AgentFailure } from '../failure.ts'

export type RunCommand = (command: string) => Promise<void>

const timeoutMs = 30_000

/** Runs by `sh -c`, with the agent's environment, at most 30 s. Its output is not logged: it may hold secrets. */
export const runShell: RunCommand = async (command) => {
  const { spawn } = await import('node:child_process')
  await new Promise<void>((resolve, reject) => {
    const child = spawn('/bin/sh', ['-c', command], { stdio: 'ignore', timeout: timeoutMs, killSignal: 'SIGKILL' })
    child.on('error', (cause) => reject(new AgentFailure('the command of a template could not be started', { cause })))
    child.on('close', (code, signal) => {
      if (code === 0) resolve()
      else reject(new AgentFailure(`the command of a template ended with ${signal ?? `status ${code}`}`))
    })
  })
}

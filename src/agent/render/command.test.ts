import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { runShell } from './command.ts'

const folder = mkdtempSync(join(tmpdir(), 'coffer-command-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function until(what: () => boolean) {
  const deadline = performance.now() + 10_000
  while (!what()) {
    if (performance.now() > deadline) throw new Error(`never happened: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

const alive = (pid: number) => {
  try {
    process.kill(pid, 0)
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.startsWith('Z') !== true
  } catch {
    return false
  }
}

it.runIf(process.platform === 'linux')('a command ends with the agent, and what it started too', async () => {
  const pids = join(folder, 'pids')
  const stop = new AbortController()
  const ended = runShell(`sleep 600 & echo $! $$ > ${pids}.new; mv ${pids}.new ${pids}; wait`, stop.signal).then(
    () => 'ended well',
    (error: unknown) => error,
  )
  await until(() => existsSync(pids))
  const started = readFileSync(pids, 'utf8').trim().split(' ').map(Number)
  stop.abort(new Error('SIGTERM'))
  await ended
  try {
    await until(() => started.every((pid) => !alive(pid)))
  } finally {
    for (const pid of started) if (alive(pid)) process.kill(pid, 'SIGKILL')
  }
  expect(started).toHaveLength(2)
})

it('a command that fails says how, without its output', async () => {
  const { signal } = new AbortController()
  await expect(runShell('echo canary; exit 3', signal)).rejects.toThrow('the command of a template ended with status 3')
  await runShell('true', signal)
})

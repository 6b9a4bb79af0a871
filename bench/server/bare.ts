/** A bare node:http server that answers the same bytes: what no server on Node.js can be faster than. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { work } from './busy-work.mjs'
import { root } from './coffer.ts'
import { startProgram, stopProgram } from './processes.ts'

export interface Bare {
  readonly url: string
  readonly pid: number
  stop(): Promise<void>
}

export interface BareAnswers {
  readonly get: string
  readonly post: string
}

export async function startBare(answers: BareAnswers, folder: string): Promise<Bare> {
  const files = { get: join(folder, 'bare-get.json'), post: join(folder, 'bare-post.json') }
  writeFileSync(files.get, answers.get)
  writeFileSync(files.post, answers.post)
  const { child, pid, said } = await startProgram({
    what: 'the bare server',
    command: [process.execPath, join(root, 'bench/bare-server.mjs'), files.get, files.post],
    ready: (_, output) => /^(\d+)\n/m.exec(output)?.[1],
  })
  return { url: `http://127.0.0.1:${said}`, pid, stop: () => stopProgram(child) }
}

/** One or more processes on a port that do so many rounds of work for each answer. */
export async function startBusy(processes: number, rounds: number): Promise<Bare> {
  const { child, pid, said } = await startProgram({
    what: 'the busy server',
    command: [process.execPath, join(import.meta.dirname, 'busy-server.mjs'), String(processes), String(rounds)],
    ready: (_, output) => /^(\d+)\n/m.exec(output)?.[1],
  })
  return { url: `http://127.0.0.1:${said}`, pid, stop: () => stopProgram(child) }
}

/** How many take so long of the processor. A server told a time would let it pass without work while another has the processor. */
export function roundsIn(micros: number): number {
  const tried = 20_000
  work(tried)
  const before = process.cpuUsage()
  work(tried)
  const { user, system } = process.cpuUsage(before)
  return Math.max(1, Math.round((micros * tried) / (user + system)))
}

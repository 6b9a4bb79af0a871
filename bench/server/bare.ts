/** A bare node:http server that answers the same bytes: what no server on Node.js can be faster than. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './coffer.ts'
import { startNode, stopNode } from './processes.ts'

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
  const { child, pid, said } = await startNode({
    what: 'the bare server',
    args: [join(root, 'bench/bare-server.mjs'), files.get, files.post],
    ready: (_, output) => /^(\d+)\n/m.exec(output)?.[1],
  })
  return { url: `http://127.0.0.1:${said}`, pid, stop: () => stopNode(child) }
}

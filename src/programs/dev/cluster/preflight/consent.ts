/** Before anything is written to a cluster that may matter to somebody, a person names it. */
import { createInterface } from 'node:readline'
import type { ProgramIo } from '../../../program.ts'
import type { Terminal } from '../../terminal.ts'
import type { GivenCluster } from './given.ts'

/** Why it might be more than somebody's plaything; undefined: an API server on this machine that has no nodes. */
function reasonToAsk({ address, nodes }: GivenCluster): string | undefined {
  if (nodes > 0) return `it has ${nodes} node${nodes === 1 ? '' : 's'}`
  return address.loopback ? undefined : 'its API server is not on this machine'
}

/** Undefined: go on. Else the words of the refusal. */
export async function askConsent(
  cluster: GivenCluster,
  options: { readonly yes: boolean; readonly io: ProgramIo; readonly terminal: Terminal },
): Promise<string | undefined> {
  const { yes, io, terminal } = options
  const reason = reasonToAsk(cluster)
  if (yes || !reason) return undefined
  const about = `cluster ${cluster.config.server} (context ${cluster.context}): ${reason}`
  if (io.env['CI'] === 'true') return `${about}; with CI=true nobody is asked: give --yes if it is meant`
  const input: ProgramIo['stdin'] & { isTTY?: boolean } = io.stdin
  if (!input.isTTY) return `${about}; there is no terminal to ask at: give --yes if it is meant`
  terminal.warn(`${about}. A run makes the objects listed above and removes them at its end.`)
  const answer = await ask(io, `   Type the name of the context to go on: `)
  return answer === cluster.context
    ? undefined
    : `${JSON.stringify(answer)} is not the context's name: nothing was written`
}

function ask(io: ProgramIo, question: string): Promise<string> {
  const lines = createInterface({ input: io.stdin, output: io.stdout })
  return new Promise((resolve) => {
    const end = () => lines.close()
    io.stop.addEventListener('abort', end, { once: true })
    lines.once('close', () => {
      io.stop.removeEventListener('abort', end)
      resolve('')
    })
    lines.question(question, (answer) => {
      resolve(answer.trim())
      lines.close()
    })
  })
}

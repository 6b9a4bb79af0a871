import { type CliContext, Failure } from '../command.ts'

/** Asks on the terminal without showing what is typed. Failure 1 without a terminal or when told not to ask, 130 after Ctrl-C. */
export async function askHidden(context: CliContext, question: string, otherwise: string): Promise<string> {
  const { stdin, stderr } = context
  if (context.interactive === false) throw new Failure(1, `-non-interactive asks for nothing: ${otherwise}`)
  if (
    !('isTTY' in stdin) ||
    stdin.isTTY !== true ||
    !('setRawMode' in stdin) ||
    typeof stdin.setRawMode !== 'function'
  ) {
    throw new Failure(1, `stdin is no terminal to ask on: ${otherwise}`)
  }
  stderr.write(question)
  stdin.setRawMode(true)
  try {
    return await readTyped(context)
  } finally {
    stdin.setRawMode(false)
    stdin.pause()
    stderr.write('\n')
  }
}

function readTyped(context: CliContext): Promise<string> {
  const { stdin, signal } = context
  return new Promise((resolve, reject) => {
    let typed = ''
    const finish = (act: () => void) => {
      stdin.off('data', onData)
      signal.removeEventListener('abort', onAbort)
      act()
    }
    const onAbort = () => finish(() => reject(new Failure(130, 'interrupted')))
    const onData = (chunk: Buffer | string) => {
      for (const char of chunk.toString()) {
        if (char === '\r' || char === '\n' || char === '\u0004') return finish(() => resolve(typed))
        if (char === '\u0003') return onAbort()
        typed = char === '\u007f' || char === '\b' ? typed.slice(0, -1) : typed + char
      }
    }
    signal.addEventListener('abort', onAbort, { once: true })
    stdin.on('data', onData)
    stdin.resume()
  })
}

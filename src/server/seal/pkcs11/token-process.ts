/**
 * Speaks to the token in a process of its own, one per request: a library that hangs can't be interrupted within a process, one
 * that crashes takes its process with it, and the root key and the session are gone with the process that had them.
 */
import { spawn } from 'node:child_process'
import type { Clock } from '../../../lib/clock.ts'
import { TokenFault } from './token-fault.ts'
import { decodeAnswer } from './token-message.ts'

export interface TokenProcessOptions {
  /** A command line that reads a request from its input and writes the answer to file descriptor 3. */
  readonly command: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  readonly deadlineMs: number
  /** Ends the process that is running. */
  readonly signal: AbortSignal
}

const mostAnswerBytes = 65_536

/** The answer's bytes. Throws TokenFault. */
export function askToken(message: Buffer, options: TokenProcessOptions): Promise<Buffer> {
  const { clock, deadlineMs, signal } = options
  const [program = '', ...args] = options.command
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(new TokenFault('the server is stopping'))
    // What the maker's library prints is nobody's business: it may hold anything.
    const child = spawn(program, args, { stdio: ['pipe', 'ignore', 'ignore', 'pipe'], env: { ...options.env } })
    const end = () => child.kill('SIGKILL')
    const cancel = clock.after(deadlineMs, () => {
      end()
      reject(new TokenFault(`the token did not answer within ${deadlineMs / 1000} s`))
    })
    signal.addEventListener('abort', end, { once: true })
    let answer = Buffer.alloc(0)
    const settle = () => {
      const said = decodeAnswer(answer)
      if (!said) return false
      if ('bytes' in said) resolve(Buffer.from(said.bytes))
      else reject(new TokenFault(said.fault, { pin: said.pin }))
      return true
    }
    child.stdio[3]?.on('data', (data: Buffer) => {
      answer = Buffer.concat([answer, data])
      // What the library does on its way out concerns nobody but the deadline.
      if (settle()) answer.fill(0)
      else if (answer.length > mostAnswerBytes) end()
    })
    child.once('error', (cause) => {
      cancel()
      reject(new TokenFault('the process for the token did not start', { cause }))
    })
    child.once('close', (status, by) => {
      cancel()
      signal.removeEventListener('abort', end)
      if (signal.aborted) reject(new TokenFault('the server is stopping'))
      const how = by ? `was ended by ${by}` : `ended with status ${status}`
      reject(new TokenFault(`the process for the token ${how} without an answer: see the PKCS#11 library's own log`))
    })
    // It may have ended before it read all.
    child.stdin?.once('error', () => undefined).end(message, () => message.fill(0))
  })
}

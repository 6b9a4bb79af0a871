/** `coffer pkcs11-token`: what a server with the seal "pkcs11" starts for each request to its token. Nobody calls it by hand. */
import { writeSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { answerTokenRequest } from '../../../server/seal/pkcs11/token-work.ts'
import type { Program } from '../../program.ts'
import { loadPkcs11js } from './pkcs11js.ts'

/** Beside standard input, output and errors: a maker's library may print. */
const answerDescriptor = 3

export const program: Program = {
  run: async (_args, io) => {
    const answer = answerTokenRequest(await all(io.stdin), loadPkcs11js)
    try {
      for (let sent = 0; sent < answer.length; ) sent += writeSync(answerDescriptor, answer, sent)
      return 0
    } catch {
      io.stderr.write('coffer pkcs11-token is started by coffer server; it does nothing by itself\n')
      return 2
    } finally {
      answer.fill(0)
    }
  },
}

async function all(stream: Readable): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of stream) parts.push(Buffer.from(part))
  const bytes = Buffer.concat(parts)
  for (const part of parts) part.fill(0)
  return bytes
}

import type { Readable } from 'node:stream'
import { Failure } from '../command.ts'

/** All of a stream as text. Failure 1 when it is too long. */
export async function readAll(stream: Readable, maxBytes = 32 * 1024 * 1024): Promise<string> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of stream) {
    const chunk = Buffer.from(part)
    bytes += chunk.length
    if (bytes > maxBytes) throw new Failure(1, `the input is longer than ${maxBytes} bytes`)
    parts.push(chunk)
  }
  return Buffer.concat(parts).toString('utf8')
}

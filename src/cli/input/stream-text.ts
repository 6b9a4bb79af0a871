import type { Readable } from 'node:stream'

/** All of a stream as text; `what` names it when it can't be read. */
export async function readAll(stream: Readable, maxBytes = 32 * 1024 * 1024): Promise<string> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of stream) {
    const chunk = Buffer.from(part)
    bytes += chunk.length
    if (bytes > maxBytes) throw new Error(`the input is longer than ${maxBytes} bytes`)
    parts.push(chunk)
  }
  return Buffer.concat(parts).toString('utf8')
}

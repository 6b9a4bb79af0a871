/** Splits bytes into the lines of a stream of JSON documents, wherever the chunks were cut. */

const newline = 0x0a

/**
 * Yields the lines that each chunk completes, together, without their ends and without empty ones. What follows the last line
 * end is dropped: a document that was cut must not be taken for a whole one. Throws on a line longer than `maxBytes`.
 */
export async function* jsonLines(chunks: AsyncIterable<Uint8Array>, maxBytes = 64 * 1024 * 1024) {
  // Decoded up to a line end, so a character that spans two chunks is whole by then. Invalid UTF-8 throws.
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let pending: Uint8Array[] = []
  let pendingBytes = 0
  for await (const chunk of chunks) {
    const end = chunk.lastIndexOf(newline)
    if (end >= 0) {
      const whole = chunk.subarray(0, end)
      const text = decoder.decode(pending.length === 0 ? whole : Buffer.concat([...pending, whole]))
      pending = []
      pendingBytes = 0
      const lines = text.split('\n').filter((line) => line.length > 2 || line.trim() !== '')
      if (lines.length > 0) yield lines
    }
    if (end + 1 < chunk.byteLength) {
      // Copied: the transport may reuse its buffer.
      pending.push(chunk.slice(end + 1))
      pendingBytes += chunk.byteLength - end - 1
      if (pendingBytes > maxBytes) throw new Error(`a line of the stream is longer than ${maxBytes} bytes`)
    }
  }
}

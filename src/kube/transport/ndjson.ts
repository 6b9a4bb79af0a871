/** Splits bytes into the lines of a stream of JSON documents, wherever the chunks were cut. */

const newline = 0x0a

/**
 * Yields each complete line without its end, empty ones left out. What follows the last line end is dropped: a document
 * that was cut must not be taken for a whole one. Throws on a line longer than `maxBytes`.
 */
export async function* jsonLines(chunks: AsyncIterable<Uint8Array>, maxBytes = 64 * 1024 * 1024) {
  // Decoded per line, so a character that spans two chunks is whole by then. Invalid UTF-8 throws.
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let pending: Uint8Array[] = []
  let pendingBytes = 0
  for await (const chunk of chunks) {
    let start = 0
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      pending.push(chunk.subarray(start, end))
      const line = decoder.decode(pending.length === 1 ? pending[0] : Buffer.concat(pending))
      pending = []
      pendingBytes = 0
      start = end + 1
      if (line.trim() !== '') yield line
    }
    if (start < chunk.byteLength) {
      // Copied: the transport may reuse its buffer.
      pending.push(chunk.slice(start))
      pendingBytes += chunk.byteLength - start
      if (pendingBytes > maxBytes) throw new Error(`a line of the stream is longer than ${maxBytes} bytes`)
    }
  }
}

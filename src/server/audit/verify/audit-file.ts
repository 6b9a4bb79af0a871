export interface AuditFile {
  readonly name: string
  /** The file's bytes in pieces of any size. */
  readonly bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>
}

export interface FileLine {
  /** Without its newline. */
  readonly bytes: Uint8Array
  /** From 1. */
  readonly line: number
  /** False for what follows the last newline. */
  readonly complete: boolean
}

/**
 * A line that is longer is no audit line: it is passed on in pieces, each of them incomplete. A body of 32 MiB becomes 70 MB when
 * its short strings are HMACs, and an answer's line tells of the request, too.
 */
const maxLineBytes = 256 * 1024 * 1024

/** The lines of a file as it is read; empty ones are counted and skipped. */
export async function* auditLines(file: AuditFile, longest = maxLineBytes): AsyncGenerator<FileLine> {
  /** The beginning of a line whose end has not come. */
  let rest: Uint8Array[] = []
  let restBytes = 0
  let line = 0
  for await (const piece of file.bytes) {
    const buffer = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength)
    let from = 0
    for (let end = buffer.indexOf(0x0a); end >= 0; end = buffer.indexOf(0x0a, from)) {
      line += 1
      const tail = buffer.subarray(from, end)
      const bytes = restBytes > 0 ? Buffer.concat([...rest, tail]) : tail
      rest = []
      restBytes = 0
      if (bytes.length > 0) yield { bytes, line, complete: true }
      from = end + 1
    }
    if (from < buffer.length) {
      rest.push(Buffer.from(buffer.subarray(from)))
      restBytes += buffer.length - from
    }
    if (restBytes > longest) {
      yield { bytes: Buffer.concat(rest), line: line + 1, complete: false }
      rest = []
      restBytes = 0
    }
  }
  if (restBytes > 0) yield { bytes: Buffer.concat(rest), line: line + 1, complete: false }
}

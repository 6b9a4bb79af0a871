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

/** The lines of a file as it is read; empty ones are counted and skipped. */
export async function* auditLines(file: AuditFile): AsyncGenerator<FileLine> {
  let rest = Buffer.alloc(0)
  let line = 0
  for await (const piece of file.bytes) {
    const buffer = rest.length > 0 ? Buffer.concat([rest, piece]) : Buffer.from(piece)
    let from = 0
    for (let end = buffer.indexOf(0x0a); end >= 0; end = buffer.indexOf(0x0a, from)) {
      line += 1
      if (end > from) yield { bytes: buffer.subarray(from, end), line, complete: true }
      from = end + 1
    }
    rest = buffer.subarray(from)
  }
  if (rest.length > 0) yield { bytes: rest, line: line + 1, complete: false }
}

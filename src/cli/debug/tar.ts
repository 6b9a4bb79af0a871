/** POSIX ustar, as much of it as a bundle of small files needs. */
const block = 512

export interface TarEntry {
  /** At most 100 bytes; ends in "/" for a folder. */
  readonly name: string
  readonly content: Uint8Array
  /** Milliseconds since the epoch. */
  readonly modifiedAt: number
}

/** Files are readable by their owner only. */
export function tarOf(entries: readonly TarEntry[]): Buffer {
  const parts = entries.flatMap((entry) => {
    const gap = (block - (entry.content.length % block)) % block
    return [headerOf(entry), Buffer.from(entry.content), Buffer.alloc(gap)]
  })
  return Buffer.concat([...parts, Buffer.alloc(2 * block)])
}

function headerOf({ name, content, modifiedAt }: TarEntry): Buffer {
  if (Buffer.byteLength(name) > 100) throw new RangeError(`the name is too long for a tar file: ${name}`)
  const folder = name.endsWith('/')
  const header = Buffer.alloc(block)
  const octal = (value: number, at: number, length: number) =>
    header.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'latin1')
  header.write(name, 0, 'utf8')
  octal(folder ? 0o700 : 0o600, 100, 8)
  octal(0, 108, 8)
  octal(0, 116, 8)
  octal(content.length, 124, 12)
  octal(Math.floor(modifiedAt / 1000), 136, 12)
  header.write('        ', 148, 'latin1')
  header.write(folder ? '5' : '0', 156, 'latin1')
  header.write('ustar\u000000', 257, 'latin1')
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return header
}

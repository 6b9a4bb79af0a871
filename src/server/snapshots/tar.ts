/** The little of tar (POSIX ustar) that a snapshot needs: plain files, one after the other. */
import { damaged } from './state.ts'

const blockBytes = 512
const maxOctal = 0o77777777777

export interface TarMember {
  readonly name: string
  readonly size: number
  /** To be read before the next member is asked for. */
  readonly body: AsyncIterable<Uint8Array>
}

export interface TarSource {
  readonly name: string
  readonly size: number
  readonly body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>
}

/** `at`: the time that the files bear, ms. */
export async function* writeTar(sources: readonly TarSource[], at: number): AsyncGenerator<Uint8Array> {
  for (const { name, size, body } of sources) {
    yield headerOf(name, size, at)
    yield* body
    const rest = size % blockBytes
    if (rest > 0) yield Buffer.alloc(blockBytes - rest)
  }
  yield Buffer.alloc(2 * blockBytes)
}

function headerOf(name: string, size: number, at: number): Buffer {
  const block = Buffer.alloc(blockBytes)
  const octal = (value: number, start: number, length: number) =>
    block.write(`${value.toString(8).padStart(length - 1, '0')}\0`, start, 'latin1')
  block.write(name, 0, 100, 'latin1')
  octal(0o600, 100, 8)
  octal(0, 108, 8)
  octal(0, 116, 8)
  if (size <= maxOctal) octal(size, 124, 12)
  else {
    block[124] = 0x80
    block.writeBigUInt64BE(BigInt(size), 128)
  }
  octal(Math.floor(at / 1000), 136, 12)
  block.write('        0', 148, 'latin1')
  block.write('ustar\x0000', 257, 'latin1')
  block.write(`${sumOf(block).toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return block
}

/** Refusal 400 for what is not such a file, or not whole. */
export async function* readTar(source: AsyncIterable<Uint8Array>): AsyncGenerator<TarMember> {
  const input = new Input(source)
  for (;;) {
    const block = await input.exactly(blockBytes)
    if (block.every((byte) => byte === 0)) {
      const last = await input.exactly(blockBytes)
      if (!last.every((byte) => byte === 0)) throw damaged('its end is not one of a tar file')
      await input.onlyZeros()
      return
    }
    const member = memberOf(block)
    const body = input.upTo(member.size)
    yield { ...member, body }
    // What the reader left.
    for await (const _ of body);
    await input.exactly((blockBytes - (member.size % blockBytes)) % blockBytes)
  }
}

function memberOf(block: Buffer): { name: string; size: number } {
  const sum = Number.parseInt(block.toString('latin1', 148, 154), 8)
  if (sum !== sumOf(block)) throw damaged('it is not a tar file, or the head of a member has changed')
  const kind = block.toString('latin1', 156, 157)
  const name = block.toString('latin1', 0, 100).replace(/\0.*$/s, '')
  const large = block[124] === 0x80
  const size = large
    ? Number(block.readBigUInt64BE(128))
    : Number.parseInt(block.toString('latin1', 124, 136).replace(/[\0 ]+$/, ''), 8)
  if (!Number.isSafeInteger(size) || size < 0) throw damaged('a member has no size')
  if (kind !== '0' && kind !== '\0') throw damaged(`its member ${JSON.stringify(name)} is not a plain file`)
  return { name, size }
}

/** Of the bytes, those of the sum itself taken as blanks. */
function sumOf(block: Uint8Array): number {
  let sum = 0
  block.forEach((byte, i) => {
    sum += i >= 148 && i < 156 ? 0x20 : byte
  })
  return sum
}

class Input {
  readonly #chunks: AsyncIterator<Uint8Array>
  #left: Uint8Array = Buffer.alloc(0)

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#chunks = source[Symbol.asyncIterator]()
  }

  /** For few bytes. */
  async exactly(length: number): Promise<Buffer> {
    const parts: Uint8Array[] = []
    for await (const part of this.upTo(length)) parts.push(part)
    return Buffer.concat(parts)
  }

  async *upTo(length: number): AsyncGenerator<Uint8Array> {
    for (let missing = length; missing > 0; ) {
      if (this.#left.length === 0 && !(await this.#more())) throw damaged('it ends too early')
      const part = this.#left.subarray(0, missing)
      this.#left = this.#left.subarray(part.length)
      missing -= part.length
      yield part
    }
  }

  async onlyZeros(): Promise<void> {
    do {
      if (this.#left.some((byte) => byte !== 0)) throw damaged('something follows its end')
    } while (await this.#more())
  }

  async #more(): Promise<boolean> {
    const next = await this.#chunks.next()
    if (next.done) return false
    this.#left = next.value
    return true
  }
}

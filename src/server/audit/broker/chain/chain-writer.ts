import type { HmacSha256, MessageParts } from '../../../../lib/hmac-sha256/hmac-sha256.ts'
import type { Turns } from '../../../../lib/turns.ts'
import { ChainDigest } from './chain-digest.ts'
import type { CheckpointKey } from './checkpoint-key.ts'

export interface Chain {
  readonly id: string
  seq: number
  /** Hex HMAC of the last line that the device took; of the chain's id before the first. */
  mac: string
  /** Of all bytes since the last checkpoint, its own line included; before the first: since the chain began. */
  readonly digest: ChainDigest
  /** The last line that a checkpoint has covered. */
  covered: number
}

export interface Body {
  /** As in audit-line.ts. */
  readonly text: string
  /** Completed with a digest and signed. */
  readonly signed: boolean
}

/**
 * A body that is too long to be hashed in one piece of work: in pieces, all but its place in the chain hashed. One piece has room
 * for the link behind it.
 */
export interface LongBody {
  readonly pieces: readonly Uint8Array[]
  readonly parts: MessageParts
}

/** What the link adds to a body, at most. */
export const linkBytes = 200
const signatureBytes = 400
/** What is kept between groups, at most. */
const keptBytes = 1024 * 1024

/** Completes bodies to lines, each vouching for the one before, and all of them in one piece of memory. */
export class ChainWriter {
  readonly #hmac: HmacSha256
  readonly #signer: CheckpointKey
  readonly #prefix: string
  readonly #prefixBytes: number
  #memory = Buffer.alloc(0)

  /** `prefix`: what bodies begin with. Nothing vouches for it, so that a collector may put its own before a line, too. */
  constructor(hmac: HmacSha256, signer: CheckpointKey, prefix = '') {
    this.#hmac = hmac
    this.#signer = signer
    this.#prefix = prefix
    this.#prefixBytes = Buffer.byteLength(prefix)
  }

  /** `turns`: what the digest of long lines is made in. */
  begin(id: string, turns: Turns): Chain {
    return { id, seq: 0, mac: this.#hmac.hex(id), digest: new ChainDigest(turns), covered: 0 }
  }

  /**
   * -> the lines and where the chain stands after them. Only the chain's digest has moved: lines that are not taken end the chain.
   * The lines lie in memory that the next call uses again: they are to be written, or given up by `forget`, before.
   */
  link(chain: Chain, bodies: readonly Body[]): { lines: Uint8Array[]; seq: number; mac: string } {
    // At most three bytes for each character: counting them would walk every line once more.
    let size = 0
    for (const { text, signed } of bodies) size += 3 * text.length + linkBytes + (signed ? signatureBytes : 0)
    const bytes = this.#room(size)
    const lines: Uint8Array[] = []
    let { seq, mac } = chain
    let end = 0
    const skip = this.#prefixBytes
    let digested = 0
    for (const { text, signed } of bodies) {
      let body = text
      if (signed) {
        digest(chain.digest, lines.slice(digested), skip)
        digested = lines.length
        body = this.#sign(text, chain, seq, mac)
      }
      const start = end
      seq += 1
      end += bytes.write(body, end)
      end += bytes.write(link(chain.id, seq, mac), end, 'latin1')
      mac = this.#hmac.hex(bytes.subarray(start + skip, end))
      bytes[end] = 0x0a
      end += 1
      lines.push(bytes.subarray(start, end))
    }
    if (skip === 0 && digested === 0) chain.digest.add(bytes.subarray(0, end))
    else digest(chain.digest, lines.slice(digested), skip)
    return { lines, seq, mac }
  }

  /** What vouches for a long body: what `vouched` makes of its pieces is to be added in order. */
  begins(): MessageParts {
    return this.#hmac.begin()
  }

  /** As `link` for one long body, except that the chain's digest has not moved. */
  linkLong(
    chain: Pick<Chain, 'id' | 'seq' | 'mac'>,
    { pieces, parts }: LongBody,
  ): { line: Uint8Array[]; seq: number; mac: string } {
    const seq = chain.seq + 1
    const end = Buffer.from(`${link(chain.id, seq, chain.mac)}\n`, 'latin1')
    parts.add(end.subarray(0, -1))
    return { line: [...pieces, end], seq, mac: parts.hex() }
  }

  /** What of a long line's pieces is vouched for: all but the prefix. */
  vouched(pieces: readonly Uint8Array[]): Uint8Array[] {
    let skip = this.#prefixBytes
    return pieces.map((piece) => {
      const rest = piece.subarray(Math.min(skip, piece.length))
      skip -= piece.length - rest.length
      return rest
    })
  }

  /** After a write that failed: somebody may still be reading the memory. */
  forget(): void {
    this.#memory = Buffer.alloc(0)
  }

  /** One piece for all groups: a new one for each would be collected, hundreds of times a second. */
  #room(size: number): Buffer {
    if (size > keptBytes) return Buffer.allocUnsafe(size)
    if (this.#memory.length < size) this.#memory = Buffer.allocUnsafeSlow(Math.max(size, 2 * this.#memory.length))
    return this.#memory
  }

  /** The signature stands for the line without it, so for all that the digest and the heads say. */
  #sign(text: string, chain: Chain, seq: number, mac: string): string {
    const digest = chain.digest.take()
    const body = `${text},"lines":${seq - chain.covered},"digest":"${digest}","public_key":"${this.#signer.publicKey}"`
    chain.covered = seq
    return `${body},"signature":"${this.#signer.sign(body.slice(this.#prefix.length) + link(chain.id, seq + 1, mac))}"`
  }
}

function link(chain: string, seq: number, mac: string): string {
  return `,"chain":"${chain}","seq":${seq},"prev":"${mac}"}`
}

function digest(all: ChainDigest, lines: readonly Uint8Array[], skip: number): void {
  for (const line of lines) all.add(line.subarray(skip))
}

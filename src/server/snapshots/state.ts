/**
 * state.bin: all rows in key order, as they are stored.
 *
 *     "coffer state 1\n"
 *     per row: key length (2 bytes, 1..1024) | value length (4) | version (14 hex digits) | key | value
 *     0 (2 bytes) | number of rows (8)
 *
 * Numbers are big endian. Another format has another first line.
 */
import { createHash } from 'node:crypto'
import { commitIdForm } from '../contracts/commit.ts'
import { Refusal } from '../contracts/request.ts'
import { maxKeyBytes } from '../contracts/row-size.ts'
import type { Stored } from '../contracts/storage.ts'
import type { Spool } from './spool.ts'

export type Row = readonly [string, Stored]

const magic = 'coffer state 1\n'
const headBytes = 2 + 4 + 14
const tailBytes = 2 + 8
const batchBytes = 1024 * 1024

export const damaged = (why: string) => new Refusal(400, `the snapshot is damaged: ${why}; take another one`)

/** Fills an empty spool. */
export async function writeState(rows: AsyncIterable<Row>, spool: Spool): Promise<{ rows: number; sha256: string }> {
  const hash = createHash('sha256')
  let batch: Uint8Array[] = [Buffer.from(magic)]
  let bytes = magic.length
  let count = 0
  const flush = async () => {
    const chunk = Buffer.concat(batch)
    batch = []
    bytes = 0
    hash.update(chunk)
    await spool.write(chunk)
  }
  for await (const [name, { value, version }] of rows) {
    const key = Buffer.from(name)
    const head = Buffer.alloc(headBytes)
    head.writeUInt16BE(key.length)
    head.writeUInt32BE(value.length, 2)
    head.write(version, 6, 'latin1')
    batch.push(head, key, value)
    bytes += headBytes + key.length + value.length
    count += 1
    if (bytes >= batchBytes) await flush()
  }
  const tail = Buffer.alloc(tailBytes)
  tail.writeBigUInt64BE(BigInt(count), 2)
  batch.push(tail)
  await flush()
  return { rows: count, sha256: hash.digest('hex') }
}

/** Refusal 400 for anything that `writeState` would not have written. */
export function* readState(spool: Spool, maxValueBytes: number): Generator<Row> {
  const window = new Window(spool)
  checkMagic(window.take(magic.length))
  let before: Buffer | undefined
  for (let count = 0n; ; count += 1n) {
    const keyLength = window.take(2).readUInt16BE()
    if (keyLength === 0) {
      if (window.take(8).readBigUInt64BE() !== count) throw damaged('rows are missing in its state')
      if (!window.atEnd) throw damaged('something follows the end of its state')
      return
    }
    const valueLength = window.take(4).readUInt32BE()
    const version = window.take(14).toString('latin1')
    if (keyLength > maxKeyBytes || valueLength > maxValueBytes) throw damaged('a row is too large')
    if (!commitIdForm.test(version)) throw damaged('a row has no version')
    const key = Buffer.from(window.take(keyLength))
    const name = key.toString()
    if (!key.equals(Buffer.from(name)) || key.includes(0)) throw damaged('the name of a row is not text')
    if (before && Buffer.compare(before, key) >= 0) throw damaged('its rows are not in order')
    before = key
    yield [name, { value: Uint8Array.from(window.take(valueLength)), version }]
  }
}

function checkMagic(found: Buffer): void {
  const text = found.toString('latin1')
  if (text === magic) return
  const other = /^coffer state (\d{1,9})/.exec(text)?.[1]
  if (!other) throw damaged('its state is not one of Coffer')
  throw new Refusal(
    400,
    `the snapshot has state format ${other}, this Coffer reads format 1: restore it with the version that took it, or a newer one`,
  )
}

/** Small reads from few large ones. What `take` answers holds until the next one. */
class Window {
  readonly #spool: Spool
  #at = 0
  #buffer: Buffer = Buffer.alloc(0)
  #start = 0

  constructor(spool: Spool) {
    this.#spool = spool
  }

  get atEnd(): boolean {
    return this.#at >= this.#spool.size
  }

  take(length: number): Buffer {
    const from = this.#at - this.#start
    if (from + length > this.#buffer.length) {
      this.#start = this.#at
      this.#buffer = this.#spool.readSync(this.#at, Math.max(length, batchBytes))
      if (this.#buffer.length < length) throw damaged('its state ends too early')
      this.#at += length
      return this.#buffer.subarray(0, length)
    }
    this.#at += length
    return this.#buffer.subarray(from, from + length)
  }
}

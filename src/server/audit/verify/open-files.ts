/** Audit files of this machine, plain or gzip, in the order in which they were written. */
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { type AuditFile, auditLines } from './audit-file.ts'
import { timeOf, withoutPrefix } from './audit-line.ts'

/** Rejects when a file can't be read. */
export async function openAuditFiles(paths: readonly string[]): Promise<AuditFile[]> {
  const found: { readonly path: string; readonly time: string }[] = []
  for (const path of paths) found.push({ path, time: await firstTime(path) })
  return found
    .sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0))
    .map(({ path }) => ({ name: path, bytes: bytesOf(path) }))
}

/** An empty file has nothing to say and comes first. */
async function firstTime(path: string): Promise<string> {
  for await (const { bytes } of auditLines({ name: path, bytes: bytesOf(path) })) {
    return timeOf(Buffer.from(withoutPrefix(bytes).subarray(0, 200)).toString()) ?? ''
  }
  return ''
}

async function* bytesOf(path: string): AsyncGenerator<Uint8Array> {
  let first: Buffer | undefined
  for await (const piece of createReadStream(path, { start: 0, end: 1 }) as AsyncIterable<Buffer>) first = piece
  const zipped = first?.[0] === 0x1f && first[1] === 0x8b
  const file = createReadStream(path, { highWaterMark: 256 * 1024 })
  // An error of the file ends the stream that is read, with that error.
  const source = zipped ? pipeline(file, createGunzip(), () => {}) : file
  yield* source as AsyncIterable<Uint8Array>
}

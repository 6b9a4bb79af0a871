import { createHash } from 'node:crypto'
import { pipeline, Readable } from 'node:stream'
import { createGzip } from 'node:zlib'
import { encodeMeta, type SnapshotMeta } from './snapshot-meta.ts'
import type { Spool } from './spool.ts'
import { type Row, writeState } from './state.ts'
import { type TarSource, writeTar } from './tar.ts'

export interface TakeOptions {
  readonly rows: AsyncIterable<Row>
  /** Empty. Storage's snapshot is held only while it fills, however slow the client is. */
  readonly spool: Spool
  readonly about: Pick<SnapshotMeta, 'ID' | 'Index' | 'Term' | 'CofferVersion' | 'ClusterID' | 'Storage'>
  /** Proves to a restore that the sums are this cluster's. */
  readonly sealSums: (sums: Uint8Array) => Uint8Array
}

/** A gzip'd tar of meta.json, state.bin, SHA256SUMS and SHA256SUMS.sealed; what it holds is fixed when this resolves. */
export async function takeSnapshot({ rows, spool, about, sealSums }: TakeOptions): Promise<AsyncIterable<Uint8Array>> {
  const state = await writeState(rows, spool)
  const meta = encodeMeta({
    Version: 1,
    ...about,
    Size: spool.size,
    Format: 1,
    Rows: state.rows,
    TakenAt: new Date(about.Index).toISOString(),
  })
  const sums = sumsOf({ 'meta.json': createHash('sha256').update(meta).digest('hex'), 'state.bin': state.sha256 })
  const small = (name: string, bytes: Uint8Array): TarSource => ({ name, size: bytes.length, body: [bytes] })
  const tar = writeTar(
    [
      small('meta.json', meta),
      { name: 'state.bin', size: spool.size, body: spool.chunks() },
      small('SHA256SUMS', sums),
      small('SHA256SUMS.sealed', sealSums(sums)),
    ],
    about.Index,
  )
  return compressed(tar, spool)
}

/** As `sha256sum` writes them. */
export const sumsOf = (sums: Readonly<Record<string, string>>): Buffer =>
  Buffer.from(
    Object.entries(sums)
      .map(([name, sum]) => `${sum}  ${name}\n`)
      .join(''),
  )

async function* compressed(tar: AsyncIterable<Uint8Array>, spool: Spool): AsyncGenerator<Uint8Array> {
  // What is encrypted does not become smaller, whatever is spent on it.
  const gzip = createGzip({ level: 1 })
  try {
    // Errors of either end come out of the iteration.
    pipeline(Readable.from(tar), gzip, () => undefined)
    yield* gzip
  } finally {
    gzip.destroy()
    await spool.close()
  }
}

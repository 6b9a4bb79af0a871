import { createHash } from 'node:crypto'
import { pipeline, Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { Refusal } from '../contracts/request.ts'
import { decodeMeta, type SnapshotMeta } from './snapshot-meta.ts'
import type { Spool } from './spool.ts'
import { damaged, type Row, readState } from './state.ts'
import { sumsOf } from './take-snapshot.ts'
import { readTar, type TarMember } from './tar.ts'

export interface OpenedSnapshot {
  readonly meta: SnapshotMeta
  /** Equal to the sums of what was read; whether they are this cluster's only `sealedSums` can show. */
  readonly sums: Uint8Array
  readonly sealedSums: Uint8Array
  /** Rows of these names that were asked for. */
  readonly kept: ReadonlyMap<string, Uint8Array>
  /** Of all keys and values. */
  readonly bytes: number
  /** From the beginning, each time that it is called. */
  rows(): Iterable<Row>
}

export interface OpenOptions {
  readonly source: AsyncIterable<Uint8Array>
  /** Empty; takes the state. */
  readonly spool: Spool
  readonly maxValueBytes: number
  /** Names of rows whose values the caller looks at. */
  readonly keep?: readonly string[]
  /** Called with each row's name and size, in order. */
  readonly onRow?: (key: string, bytes: number) => void
}

/** The largest that we take for the members that are kept in memory. */
const smallMembers: Readonly<Record<string, number>> = {
  'meta.json': 64 * 1024,
  SHA256SUMS: 4 * 1024,
  'SHA256SUMS.sealed': 8 * 1024,
}
const sliceRows = 500

/** Reads all of it before it answers. Refusal 400 names what is wrong with it; StorageFull when it does not fit. */
export async function openSnapshot(options: OpenOptions): Promise<OpenedSnapshot> {
  const { spool, maxValueBytes } = options
  const { small, stateSum } = await readMembers(options)
  const part = (name: string) => small.get(name) ?? Buffer.alloc(0)
  const meta = decodeMeta(part('meta.json'))
  const sums = sumsOf({
    'meta.json': createHash('sha256').update(part('meta.json')).digest('hex'),
    'state.bin': stateSum,
  })
  if (!sums.equals(part('SHA256SUMS'))) throw damaged('its parts do not have the checksums that it names')
  if (meta.Size !== spool.size) throw damaged('its state does not have the size that it names')
  const kept = new Map<string, Uint8Array>()
  const { rows, bytes } = await checkRows(options, kept)
  if (rows !== meta.Rows) throw damaged('it does not have the number of rows that it names')
  return {
    meta,
    sums,
    sealedSums: part('SHA256SUMS.sealed'),
    kept,
    bytes,
    rows: () => readState(spool, maxValueBytes),
  }
}

async function checkRows(
  options: OpenOptions,
  kept: Map<string, Uint8Array>,
): Promise<{ rows: number; bytes: number }> {
  const { spool, maxValueBytes, keep = [], onRow } = options
  let rows = 0
  let bytes = 0
  for (const [key, { value }] of readState(spool, maxValueBytes)) {
    const size = Buffer.byteLength(key) + value.length
    rows += 1
    bytes += size
    onRow?.(key, size)
    if (keep.includes(key)) kept.set(key, value)
    if (rows % sliceRows === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  return { rows, bytes }
}

async function readMembers({ source, spool }: OpenOptions): Promise<{ small: Map<string, Buffer>; stateSum: string }> {
  const small = new Map<string, Buffer>()
  const hash = createHash('sha256')
  let state = false
  for await (const member of readTar(unzipped(source))) {
    const { name } = member
    if (small.has(name) || (name === 'state.bin' && state)) throw damaged(`it has ${name} twice`)
    if (name === 'state.bin') {
      await spool.reserve(member.size)
      for await (const chunk of member.body) {
        hash.update(chunk)
        await spool.write(chunk)
      }
      state = true
    } else small.set(name, await smallMember(member))
  }
  const missing = ['meta.json', 'state.bin', 'SHA256SUMS', 'SHA256SUMS.sealed'].find((name) =>
    name === 'state.bin' ? !state : !small.has(name),
  )
  if (missing) throw damaged(`it has no ${missing}`)
  return { small, stateSum: hash.digest('hex') }
}

async function smallMember({ name, size, body }: TarMember): Promise<Buffer> {
  const limit = Object.hasOwn(smallMembers, name) ? smallMembers[name] : undefined
  if (limit === undefined) {
    throw damaged(`it has a member ${JSON.stringify(name.slice(0, 100))}, which snapshots do not have`)
  }
  if (size > limit) throw damaged(`its ${name} has ${size} bytes, and ${limit} at most are taken`)
  const parts: Uint8Array[] = []
  for await (const part of body) parts.push(part)
  return Buffer.concat(parts)
}

async function* unzipped(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip()
  let any = false
  // The source's own failure comes out of the iteration too.
  pipeline(Readable.from(source), gunzip, () => undefined)
  try {
    for await (const chunk of gunzip) {
      any = true
      yield chunk
    }
  } catch (error) {
    throw refusalOf(error, any)
  } finally {
    gunzip.destroy()
  }
}

function refusalOf(error: unknown, any: boolean): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'Z_BUF_ERROR') return damaged('it ends too early')
  if (code !== 'Z_DATA_ERROR') return error
  if (any || !(error instanceof Error && /incorrect header/.test(error.message)))
    return damaged('it does not decompress')
  return new Refusal(400, 'this is not a snapshot: it is not compressed with gzip')
}

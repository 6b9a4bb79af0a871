import type { Clock } from '../../../../lib/clock.ts'
import { SnapshotNames, type SnapshotPlace } from '../snapshot-names.ts'
import type { S3Calls, S3Part, S3Upload } from './s3-calls.ts'

export interface S3PlaceOptions {
  readonly bucket: string
  /** '' or with a slash at its end. */
  readonly prefix: string
  readonly clusterId: string
  readonly clock: Clock
  readonly open: () => Promise<S3Calls>
  readonly partBytes?: number
}

/** One part is in memory at a time. S3 takes 10000 parts: 78 GiB. */
const usualPartBytes = 8 * 1024 * 1024
const maxParts = 10_000
/** For tidying up after something failed, or the lead was lost. */
const tidyMs = 10_000

/** Objects that appear whole or not at all. */
export class S3Place implements SnapshotPlace {
  readonly where: string
  readonly #options: S3PlaceOptions
  readonly #names: SnapshotNames

  constructor(options: S3PlaceOptions) {
    this.#options = options
    this.#names = new SnapshotNames(options.clusterId)
    this.where = `s3://${options.bucket}/${options.prefix}`
  }

  /** The bucket is not asked each minute: all nodes share it. */
  async lacks(lastWhere: string | undefined): Promise<boolean> {
    return lastWhere !== this.where
  }

  async write(
    body: AsyncIterable<Uint8Array>,
    at: number,
    signal: AbortSignal,
  ): Promise<{ name: string; bytes: number }> {
    const name = this.#names.at(at)
    const key = `${this.#options.prefix}${name}`
    return this.#with(async (s3) => {
      await this.#abandonOld(s3, signal)
      const { partBytes = usualPartBytes } = this.#options
      const parts = inParts(body, partBytes)
      try {
        const first = await parts.next()
        if (!first.done && first.value.length === partBytes) {
          return { name, bytes: await this.#inParts(s3, key, { first, parts }, signal) }
        }
        const all = first.done ? new Uint8Array() : first.value
        await s3.put(key, all, signal)
        return { name, bytes: all.length }
      } finally {
        await parts.return(undefined)
      }
    })
  }

  async keepNewest(count: number, latest: string, signal: AbortSignal): Promise<number> {
    return this.#with(async (s3) => {
      const { prefix } = this.#options
      const all = await s3.list(`${prefix}${this.#names.prefix}`, signal)
      const ours = all.flatMap(({ key }) => (this.#isOurs(key) ? [key.slice(prefix.length)] : []))
      for (const name of this.#names.beyond(count, ours, latest)) await s3.remove(`${prefix}${name}`, signal)
      return Math.min(ours.length, count)
    })
  }

  #isOurs(key: string): boolean {
    return this.#names.isOurs(key.slice(this.#options.prefix.length))
  }

  async #inParts(
    s3: S3Calls,
    key: string,
    { first, parts }: { first: IteratorResult<Uint8Array>; parts: AsyncIterator<Uint8Array> },
    signal: AbortSignal,
  ): Promise<number> {
    const upload = { key, id: await s3.begin(key, signal) }
    try {
      const sent: S3Part[] = []
      let bytes = 0
      for (let next = first; !next.done; next = await parts.next()) {
        if (sent.length === maxParts) throw new Error(`a snapshot of more than ${maxParts} parts does not fit into S3`)
        sent.push(await s3.part(upload, sent.length + 1, next.value, signal))
        bytes += next.value.length
      }
      await s3.complete(upload, sent, signal)
      return bytes
    } catch (error) {
      // Whatever it was that failed is told; parts that stay the next one removes.
      await this.#tidy((until) => s3.abandon(upload, until)).catch(() => undefined)
      throw error
    }
  }

  /** Of a process that was killed: one writes at a time. */
  async #abandonOld(s3: S3Calls, signal: AbortSignal): Promise<void> {
    const found: readonly S3Upload[] =
      (await s3.unfinished(`${this.#options.prefix}${this.#names.prefix}`, signal)) ?? []
    for (const upload of found) if (this.#isOurs(upload.key)) await s3.abandon(upload, signal)
  }

  /** Not by the signal of the work: that may be why there is something to tidy. */
  async #tidy(work: (until: AbortSignal) => Promise<void>): Promise<void> {
    const until = new AbortController()
    const cancel = this.#options.clock.after(tidyMs, () => until.abort(new Error('too late')))
    await work(until.signal).finally(cancel)
  }

  async #with<T>(work: (s3: S3Calls) => Promise<T>): Promise<T> {
    const s3 = await this.#options.open()
    try {
      return await work(s3)
    } finally {
      s3.close()
    }
  }
}

/** As many bytes each as S3 is to get at once; fewer in the last. What is yielded holds until the next one is asked for. */
async function* inParts(body: AsyncIterable<Uint8Array>, partBytes: number): AsyncGenerator<Uint8Array, undefined> {
  const part = Buffer.allocUnsafe(partBytes)
  let filled = 0
  for await (const chunk of body) {
    for (let at = 0; at < chunk.length; ) {
      const taken = chunk.subarray(at, at + partBytes - filled)
      part.set(taken, filled)
      at += taken.length
      filled += taken.length
      if (filled < partBytes) continue
      yield part
      filled = 0
    }
  }
  if (filled > 0) yield part.subarray(0, filled)
}

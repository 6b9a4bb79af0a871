import { createReadStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { VerifiedSnapshot } from '../../cli/operator/storage/local-storage.ts'
import { uuid } from '../../lib/random.ts'
import type { Stored } from '../../server/contracts/storage.ts'
import { openSnapshot } from '../../server/snapshots/open-snapshot.ts'
import { Spool } from '../../server/snapshots/spool.ts'
import { RowDigest } from '../../server/storage/row-digest.ts'
import { limits } from '../../server/storage/rules.ts'
import { type OpenParts, openStorage } from '../server/storage.ts'
import { surveyRows } from './row-survey.ts'

/** Restores the file into a storage in a folder below `scratch`, reads that again, compares and removes it. */
export async function verifySnapshot(
  file: string,
  scratch: string,
  parts: OpenParts,
  signal: AbortSignal,
): Promise<VerifiedSnapshot> {
  const folder = await mkdtemp(join(scratch, 'coffer-verify-'))
  const spool = await Spool.open({ folder, minFreeBytes: 0 }, uuid(parts.random))
  try {
    const opened = await openSnapshot({
      source: createReadStream(file, { signal }),
      spool,
      maxValueBytes: limits.valueBytes,
    })
    const restored = await openStorage({ kind: 'lmdb', path: join(folder, 'storage'), minFreeBytes: 0 }, parts)
    try {
      const [written, found] = [new RowDigest(), new RowDigest()]
      await restored.load(digested(opened.rows(), written, signal))
      const survey = await surveyRows(digested(restored.snapshot(signal), found, signal))
      const problems = [...survey.problems]
      if (written.end() !== found.end()) problems.unshift('what was read again is not what was restored')
      const { ID: id, TakenAt: takenAt, ClusterID: clusterId } = opened.meta
      return { id, takenAt, clusterId, rows: survey.rows, bytes: survey.bytes, problems }
    } finally {
      await restored.close()
    }
  } finally {
    await spool.close()
    await rm(folder, { recursive: true, force: true })
  }
}

async function* digested(
  rows: Iterable<readonly [string, Stored]> | AsyncIterable<readonly [string, Stored]>,
  digest: RowDigest,
  signal: AbortSignal,
): AsyncGenerator<readonly [string, Stored]> {
  for await (const [key, row] of rows) {
    signal.throwIfAborted()
    // A snapshot's row holds only until the next one is read.
    const kept = { value: Uint8Array.from(row.value), version: row.version }
    digest.add(key, kept)
    yield [key, kept]
  }
}

import { constants, existsSync } from 'node:fs'
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import type { CheckOptions, StorageReport } from '../../cli/operator/storage/local-storage.ts'
import type { Stored } from '../../server/contracts/storage.ts'
import { inspectInChild } from '../../server/storage/lmdb/check.ts'
import { firstKey, openEnvironment, versionText } from '../../server/storage/lmdb/environment.ts'
import { withoutSum } from '../../server/storage/lmdb/row-sum.ts'
import { readConfiguration } from '../server/configuration.ts'
import { checkCommand, type OpenParts, openStorage } from '../server/storage.ts'
import { type LastingStorage, placeOf } from './migration-config.ts'
import { surveyRows } from './row-survey.ts'

const restore =
  'Stop the server and keep a copy of the storage as it is. Then start a server on an empty storage and restore the last snapshot ' +
  'into it (coffer operator snapshot restore -force); what can still be read of this one may be saved first with a snapshot'

/** Changes nothing; a server may be at work meanwhile. */
export async function checkConfigured(options: CheckOptions, parts: OpenParts): Promise<StorageReport> {
  const { storage } = readConfiguration(options.configs)
  if (storage.kind === 'inmem') return unknown('inmem', 'storage "inmem" is gone with its server')
  const name = placeOf(storage)
  try {
    return await (storage.kind === 'lmdb' ? checkLmdb(storage, name) : checkDatabase(storage, name, options, parts))
  } catch (error) {
    options.signal.throwIfAborted()
    return unknown(name, error instanceof Error ? error.message : String(error))
  }
}

async function checkLmdb({ path }: Extract<LastingStorage, { kind: 'lmdb' }>, name: string): Promise<StorageReport> {
  const file = join(path, 'coffer.mdb')
  if (!existsSync(file)) return unknown(name, `there is no ${file}: no server has made a storage there`)
  await access(file, constants.R_OK)
  const { verdict, why = '' } = await inspectInChild(file, { command: checkCommand() })
  if (verdict !== 'whole') {
    const report = { storage: name, verdict, problems: [`${file}: ${why}`], kinds: [] }
    return verdict === 'damaged' ? { ...report, advice: restore } : report
  }
  return reportOf(name, rowsOfFile(file))
}

/** Only of a file that a process of its own has read to its end. */
async function* rowsOfFile(file: string): AsyncGenerator<readonly [string, Stored]> {
  const db = await openEnvironment(file, { readOnly: true })
  const transaction = db.useReadTransaction()
  try {
    for (const { key, value, version } of db.getRange({ start: firstKey, versions: true, transaction })) {
      yield [key, { value: withoutSum(value), version: versionText(version) }]
    }
  } finally {
    transaction.done()
    await db.close()
  }
}

async function checkDatabase(
  config: Extract<LastingStorage, { kind: 'postgresql' }>,
  name: string,
  { signal }: CheckOptions,
  parts: OpenParts,
): Promise<StorageReport> {
  const backend = await openStorage({ ...config, connectRetries: 0 }, parts)
  try {
    return await reportOf(name, backend.snapshot(signal))
  } finally {
    await backend.close()
  }
}

async function reportOf(storage: string, source: AsyncIterable<readonly [string, Stored]>): Promise<StorageReport> {
  const { rows, bytes, problems, kinds } = await surveyRows(source)
  if (rows === 0) return unknown(storage, 'there are no rows: nobody has initialised a server there yet')
  if (problems.length === 0) return { storage, verdict: 'whole', rows, bytes, problems, kinds }
  return { storage, verdict: 'damaged', rows, bytes, problems, kinds, advice: restore }
}

const unknown = (storage: string, why: string): StorageReport => ({
  storage,
  verdict: 'unknown',
  problems: [why],
  kinds: [],
})

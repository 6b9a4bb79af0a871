import { type Barrier, plainRows } from '../../../barrier/barrier.ts'
import type { Put } from '../../../contracts/storage.ts'
import { decodeSealConfig, encodeSealConfig, type SealConfig } from '../../../seal/config/seal-config.ts'
import { decodeWrappedKey, encodeWrappedKey, type WrappedKey } from '../../../seal/config/wrapped-key.ts'

/** Undefined before initialisation. */
export async function readSealConfig(barrier: Barrier): Promise<SealConfig | undefined> {
  if (!(await barrier.initialised())) return undefined
  const row = await barrier.readPlain(plainRows.sealConfig)
  if (!row) throw new Error(`the row "${plainRows.sealConfig}" is gone`)
  return decodeSealConfig(row)
}

export async function readWrappedKey(barrier: Barrier): Promise<WrappedKey> {
  const row = await barrier.readPlain(plainRows.wrappedRootKey)
  if (!row) throw new Error(`the row "${plainRows.wrappedRootKey}" is gone`)
  return decodeWrappedKey(row)
}

/** The seal's rows, to be written with the keyring. */
export function sealRows(config: SealConfig, wrapped?: WrappedKey): Put[] {
  const rows: Put[] = [{ key: plainRows.sealConfig, value: encodeSealConfig(config) }]
  if (wrapped) rows.push({ key: plainRows.wrappedRootKey, value: encodeWrappedKey(wrapped) })
  return rows
}

/** What protects the root key now, as one text: while it stays equal, nobody rekeyed, rewrapped or migrated. Nothing in it is secret. */
export async function sealVersion(barrier: Barrier): Promise<string> {
  const rows = await Promise.all([plainRows.sealConfig, plainRows.wrappedRootKey].map((key) => barrier.readPlain(key)))
  return rows.map((row) => Buffer.from(row ?? []).toString('base64')).join(' ')
}

import type { SecretStorage, Tx } from '../../../contracts/secret-storage.ts'
import { limitsSchema } from '../config.ts'
import { configRow, decodeKey, isUnversioned, type KeyState, keyRow } from './key-row.ts'
import { unversionedKey } from './versions.ts'

export interface StoredKey {
  readonly state: KeyState
  /** The latest version's bytes. */
  readonly data: Uint8Array | undefined
}

/** A row as the key that it is, also one of version 1 in a mount that was upgraded at `upgradedAt`. */
export function storedKey(row: Uint8Array, upgradedAt: number): StoredKey {
  return isUnversioned(row) ? { state: unversionedKey(upgradedAt), data: row } : decodeKey(row)
}

export async function readKey(tx: Tx, storage: SecretStorage, path: string): Promise<StoredKey | undefined> {
  const row = await tx.getBytes(storage, keyRow(path))
  if (!row || !isUnversioned(row)) return row && decodeKey(row)
  return storedKey(row, (await tx.get(storage, configRow, limitsSchema))?.upgradedAt ?? 0)
}

/** Outside of transactions. */
export async function findKey(storage: SecretStorage, path: string): Promise<StoredKey | undefined> {
  const row = await storage.getBytes(keyRow(path))
  if (!row || !isUnversioned(row)) return row && decodeKey(row)
  return storedKey(row, (await storage.get(configRow, limitsSchema))?.upgradedAt ?? 0)
}

import type { SecretStorage } from '../../../contracts/secret-storage.ts'
import { keyRow, versionRow } from './key-row.ts'
import { readKey } from './stored-key.ts'
import { leaveBehind, refuseArrival, sweepPath } from './sweep.ts'

const perCommit = 200

/** Removes a key for good; false when there is none. From the first commit on nothing of it can be read. */
export async function removeKey(storage: SecretStorage, path: string, signal: AbortSignal): Promise<boolean> {
  const outcome = await storage.transaction(async (tx) => {
    const key = await readKey(tx, storage, path)
    if (!key) return 'absent'
    tx.remove(storage, keyRow(path))
    const versions = key.state.older.map((v) => v.version)
    if (versions.length > perCommit) {
      await leaveBehind(tx, storage, path, versions)
      return 'swept later'
    }
    await refuseArrival(tx, storage, path)
    for (const version of versions) tx.remove(storage, versionRow(path, version))
    return 'removed'
  })
  if (outcome === 'swept later') await sweepPath(storage, path, signal)
  return outcome !== 'absent'
}

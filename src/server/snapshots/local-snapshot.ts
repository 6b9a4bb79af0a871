/** What the command line does with snapshots of this machine. */
import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { tmpdir } from 'node:os'
import { maxStoredBytes } from '../contracts/row-size.ts'
import { openSnapshot } from './open-snapshot.ts'
import { Spool } from './spool.ts'

export const localSnapshot = {
  async inspect(file: string, depth: number) {
    const spool = await Spool.open({ folder: tmpdir(), minFreeBytes: 0 }, randomUUID())
    try {
      const kinds = new Map<string, { count: number; size: number }>()
      const onRow = (key: string, size: number) => {
        const name = kindOf(key, depth)
        const kind = kinds.get(name) ?? { count: 0, size: 0 }
        kinds.set(name, { count: kind.count + 1, size: kind.size + size })
      }
      // A row that is larger was not written by a Coffer of this format.
      const maxValueBytes = maxStoredBytes
      const { meta } = await openSnapshot({ source: createReadStream(file), spool, maxValueBytes, onRow })
      return {
        id: meta.ID,
        size: meta.Size,
        index: meta.Index,
        term: meta.Term,
        version: meta.Version,
        takenAt: meta.TakenAt,
        cofferVersion: meta.CofferVersion,
        clusterId: meta.ClusterID,
        storage: meta.Storage,
        kinds: [...kinds].map(([name, kind]) => ({ name, ...kind })).sort((a, b) => b.size - a.size),
      }
    } finally {
      await spool.close()
    }
  },
}

/** The folder of a row, that far; never its own name, which people may have chosen. */
function kindOf(key: string, depth: number): string {
  const folders = key.split('/').slice(0, -1)
  return folders.length === 0 ? key : folders.slice(0, depth).join('/')
}

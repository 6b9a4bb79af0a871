import { type StorageBackend, StorageDown } from '../contracts/storage.ts'

/**
 * For tests: a storage whose process dies at its commit number `at` (from 0), before it happens or, with `after`, once it
 * is there but before anyone is told. Everything later fails. What it leaves is in `backend`.
 */
export function crashing(backend: StorageBackend, at: number, when: 'before' | 'after'): StorageBackend {
  let commits = 0
  let dead = false
  const alive = () => {
    if (dead) throw new StorageDown('the process died here')
  }
  return {
    type: backend.type,
    limits: backend.limits,
    read: async (keys) => {
      alive()
      return backend.read(keys)
    },
    list: async (prefix, page) => {
      alive()
      return backend.list(prefix, page)
    },
    commit: async (commit) => {
      alive()
      dead = commits === at
      commits += 1
      if (dead && when === 'before') alive()
      const outcome = await backend.commit(commit)
      alive()
      return outcome
    },
    clear: async (prefix, limit, generation) => {
      alive()
      return backend.clear(prefix, limit, generation)
    },
    snapshot: (signal) => backend.snapshot(signal),
    load: (rows) => backend.load(rows),
    replace: async (rows, bytes) => {
      alive()
      dead = commits === at
      commits += 1
      if (dead && when === 'before') alive()
      await backend.replace(rows, bytes)
      alive()
    },
    now: () => backend.now(),
    changes: (signal) => backend.changes(signal),
    lead: (work, until) => backend.lead(work, until),
    announce: () => backend.announce(),
    isAtWork: (opening) => backend.isAtWork(opening),
    close: async () => undefined,
  }
}

import type { Clock } from '../../lib/clock.ts'
import type { StorageBackend } from '../contracts/storage.ts'
import type { Telemetry } from './telemetry.ts'

/**
 * The same storage, with vault_<type>_get, _list and _put (a commit, whatever it does) measured, and its outcomes counted. They
 * are shown as vault_barrier_… too, whose rows go through here one by one: what dashboards of Vault read whatever the storage is.
 */
export function measureStorage(backend: StorageBackend, telemetry: Telemetry, clock: Clock): StorageBackend {
  const get = telemetry.summary(`${backend.type}.get`)
  const list = telemetry.summary(`${backend.type}.list`)
  const put = telemetry.summary(`${backend.type}.put`)
  telemetry.alias('barrier.get', get)
  telemetry.alias('barrier.list', list)
  telemetry.alias('barrier.put', put)
  const led = telemetry.summary('core.leadership_lost')
  const conflicts = telemetry.counter('storage.conflicts')
  const failures = telemetry.counter('storage.failures')
  const failed = (error: unknown): never => {
    failures.add()
    throw error
  }
  const readNow = backend.readNow?.bind(backend)
  return {
    type: backend.type,
    limits: backend.limits,
    ...(readNow && {
      readNow: (keys) => {
        const begun = clock.monotonic()
        try {
          return readNow(keys)
        } catch (error) {
          return failed(error)
        } finally {
          const now = clock.monotonic()
          get.observe(now - begun, now)
        }
      },
    }),
    // `then` and not `await` with `catch`: one promise instead of three, and every request comes through here.
    read: (keys) => {
      const begun = clock.monotonic()
      return backend.read(keys).then((rows) => {
        const now = clock.monotonic()
        get.observe(now - begun, now)
        return rows
      }, failed)
    },
    list: (prefix, page) => {
      const begun = clock.monotonic()
      return backend.list(prefix, page).then((names) => {
        const now = clock.monotonic()
        list.observe(now - begun, now)
        return names
      }, failed)
    },
    commit: (commit) => {
      const begun = clock.monotonic()
      return backend.commit(commit).then((outcome) => {
        const now = clock.monotonic()
        put.observe(now - begun, now)
        if (outcome === 'conflict') conflicts.add()
        return outcome
      }, failed)
    },
    clear: (prefix, limit, generation) => backend.clear(prefix, limit, generation),
    snapshot: (signal) => backend.snapshot(signal),
    load: (rows) => backend.load(rows),
    replace: (rows, bytes) => backend.replace(rows, bytes),
    now: () => backend.now(),
    changes: (signal) => backend.changes(signal),
    lead: (work, until) =>
      backend.lead(async (fence, signal) => {
        const begun = clock.monotonic()
        try {
          await work(fence, signal)
        } finally {
          const now = clock.monotonic()
          led.observe(now - begun, now)
        }
      }, until),
    announce: () => backend.announce(),
    isAtWork: (opening) => backend.isAtWork(opening),
    close: () => backend.close(),
  }
}

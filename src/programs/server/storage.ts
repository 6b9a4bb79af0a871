import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/log.ts'
import type { RandomBytes } from '../../lib/random.ts'
import type { StorageBackend } from '../../server/contracts/storage.ts'
import type { ServerConfig } from './configuration.ts'

/** Opens what the configuration names; each kind is loaded only when it is used. Throws StorageDown. */
export async function openStorage(
  config: ServerConfig['storage'],
  options: { readonly clock: Clock; readonly random: RandomBytes; readonly log: Logger },
): Promise<StorageBackend> {
  if (config.kind === 'inmem') {
    const { openMemory } = await import('../../server/storage/memory/memory.ts')
    return openMemory(options)
  }
  const { openLmdb } = await import('../../server/storage/lmdb/lmdb.ts')
  return openLmdb({
    ...options,
    path: config.path,
    ...(config.minFreeBytes === undefined ? {} : { minFreeBytes: config.minFreeBytes }),
    check: { command: [process.execPath, ...process.execArgv, process.argv[1] ?? '', 'server', 'check-storage'] },
    fatal: (error) => {
      // After a failed commit LMDB's heap may be corrupt: nothing may be written any more, not even on the way out.
      options.log.error('storage failed, ending at once', { error: error.message })
      process.exit(1)
    },
  })
}

/** `coffer server check-storage FILE`: what a server runs before it opens a file after an unclean end. */
export async function checkStorage(file: string): Promise<number> {
  const { checkLmdbFile } = await import('../../server/storage/lmdb/check.ts')
  return checkLmdbFile(file)
}

/** sys/rekey/backup and its like: the encrypted shares that the last operation handed out. */
import { operation, Refusal, type Route } from '../../../../contracts/request.ts'
import type { KeyBackup } from './key-backup.ts'
import type { RekeyTarget } from './rekey-row.ts'

export function backupRoute(path: string, backups: KeyBackup, target: RekeyTarget): Route {
  const base = { access: 'sudo', namespaces: 'root', input: {} } as const
  return {
    path,
    summary: 'The copy of the new keys, encrypted to their holders, that an operation with backup=true kept.',
    on: {
      read: operation({
        ...base,
        handle: async () => {
          const kept = await backups.read(target)
          if (!kept) throw new Refusal(400, 'no backed-up keys found')
          const encoded = (encoding: 'hex' | 'base64') => {
            const keys: Record<string, string[]> = {}
            for (const { fingerprint, message } of kept.shares) {
              keys[fingerprint] = [...(keys[fingerprint] ?? []), Buffer.from(message).toString(encoding)]
            }
            return keys
          }
          return {
            kind: 'data',
            data: { nonce: kept.nonce, keys: encoded('hex'), keys_base64: encoded('base64') },
            topLevel: true,
          }
        },
      }),
      delete: operation({
        ...base,
        handle: async () => {
          await backups.remove(target)
          return { kind: 'none' }
        },
      }),
    },
  }
}

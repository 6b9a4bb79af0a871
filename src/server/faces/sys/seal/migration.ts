import type { Logger } from '../../../../lib/log.ts'
import type { RandomBytes } from '../../../../lib/random.ts'
import type { Barrier } from '../../../barrier/barrier.ts'
import type { Seal } from '../../../contracts/devices.ts'
import type { SealConfig } from '../../../seal/config/seal-config.ts'
import { shamirSeal, WrongUnsealKey } from '../../../seal/shamir/shamir.ts'
import { automatic, changedMeanwhile, endRounds } from './rekey/key-holders.ts'
import { readWrappedKey, sealRows, sealVersion } from './seal-rows.ts'

/** From the seal that protects the storage to the configured one; a missing side is the seal of shares. */
export interface Migration {
  readonly from?: Seal
  readonly to?: Seal
}

/** Undefined: nothing to migrate. Throws, in Vault's words, when the seal that protects the storage is not configured. */
export function migrationOf(config: SealConfig, seals: { current?: Seal; from?: Seal }): Migration | undefined {
  const { current: to, from } = seals
  if (config.type === (to?.type ?? 'shamir')) return undefined
  if (!automatic(config)) return to ? { to } : undefined
  if (from?.type === config.type) return { from, ...(to ? { to } : {}) }
  const target = to ? `"${to.type}"` : 'Shamir'
  throw new Error(`cannot seal migrate from "${config.type}" to ${target}, no disabled seal in configuration`)
}

/**
 * `key` is what the unseal keys (recovery keys, where the server unsealed itself) make. Leaves the barrier unsealed and the
 * storage protected by the configured seal: one commit, so that a crash leaves the one or the other. Unseal keys
 * become recovery keys and the other way round: people keep what they have. WrongUnsealKey for wrong keys.
 */
export async function migrate(options: {
  readonly barrier: Barrier
  readonly random: RandomBytes
  readonly log: Logger
  readonly key: Uint8Array
  readonly config: SealConfig
  readonly migration: Migration
}): Promise<void> {
  const { barrier, random, log, key, config, migration } = options
  const version = await sealVersion(barrier)
  const old = migration.from ?? shamirSeal({ kek: key, random })
  const { blob, keyId } = await readWrappedKey(barrier)
  const rootKey = await old.unwrap(blob, keyId)
  try {
    await barrier.unseal(rootKey)
    // The seal opened it by itself: only the recovery key shows that people want this.
    if (migration.from && !barrier.isRecoveryKey(key)) throw new WrongUnsealKey()
    await endRounds(barrier)
    const next = migration.to ?? shamirSeal({ kek: key, random })
    const { shares, threshold } = config
    await barrier.reroot(async (rootKeyNow) => {
      // Another node may have migrated, rekeyed or given the root key a successor since.
      if ((await sealVersion(barrier)) !== version) throw changedMeanwhile()
      const current = rootKeyNow()
      try {
        const plain = sealRows({ type: next.type, shares, threshold }, await next.wrap(current))
        return { plain, recoveryKey: next.automatic ? key : null }
      } finally {
        current.fill(0)
      }
    })
    log.info('seal migrated', { from: old.type, to: next.type })
  } catch (error) {
    barrier.seal()
    throw error
  } finally {
    rootKey.fill(0)
  }
}

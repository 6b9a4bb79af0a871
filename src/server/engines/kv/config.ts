import { formatGoDuration, parseVaultDuration } from '../../../lib/duration.ts'
import { operation, Refusal, type Route } from '../../contracts/request.ts'
import type { SecretStorage, Tx } from '../../contracts/secret-storage.ts'
import { configRow } from './keys/key-row.ts'
import type { MountLimits } from './keys/versions.ts'

/** The mount's one row of settings. Members of later servers are kept when it is written. */
export interface MountSettings extends MountLimits {
  /** When the mount became one of version 2; 0: it was made so. */
  readonly upgradedAt: number
}

const none: MountSettings = {
  maxVersions: 0,
  casRequired: false,
  deleteAfterMs: 0,
  metadataCasRequired: false,
  upgradedAt: 0,
}

export const limitsSchema = {
  parse(value: unknown): MountSettings {
    if (typeof value !== 'object' || value === null) throw new Error('the settings of a KV mount are no object')
    return { ...none, ...value }
  },
}

export async function readLimits(tx: Tx, storage: SecretStorage): Promise<MountSettings> {
  return (await tx.get(storage, configRow, limitsSchema)) ?? none
}

export function writeLimits(tx: Tx, storage: SecretStorage, settings: MountSettings): void {
  tx.put(storage, configRow, { ...settings, format: 1 })
}

/** The fields that mounts and keys share. */
export const limitFields = {
  max_versions: { kind: 'int', description: 'How many versions are kept. 0: the default of 10.' },
  cas_required: { kind: 'bool', description: 'Whether each write must say which version it replaces.' },
  delete_version_after: {
    kind: 'string',
    description:
      'How long after its creation a version is deleted. 0: never. Negative: never, whatever the mount says.',
  },
  metadata_cas_required: {
    kind: 'bool',
    description: 'Whether each write of metadata must say which version of the metadata it replaces.',
  },
} as const

export interface LimitChange {
  readonly max_versions?: number | undefined
  readonly cas_required?: boolean | undefined
  readonly delete_version_after?: string | undefined
  readonly metadata_cas_required?: boolean | undefined
}

/** Refusal 400 when they make no sense. Absent ones stay as they are. */
export function changeLimits<L extends MountLimits>(before: L, input: LimitChange): L {
  const { max_versions: max, cas_required: cas, delete_version_after: after, metadata_cas_required: metadata } = input
  if (max !== undefined && !(Number.isInteger(max) && max >= 0 && max <= 100_000))
    throw new Refusal(400, 'max_versions must be a whole number between 0 and 100000')
  const deleteAfterMs = after === undefined ? undefined : parseVaultDuration(after)
  if (after !== undefined && deleteAfterMs === undefined)
    throw new Refusal(400, 'delete_version_after is not a duration')
  return {
    ...before,
    ...(max !== undefined && { maxVersions: max }),
    ...(cas !== undefined && { casRequired: cas }),
    ...(metadata !== undefined && { metadataCasRequired: metadata }),
    ...(deleteAfterMs !== undefined && { deleteAfterMs }),
  }
}

export const configRoute: Route = {
  path: 'config',
  summary: 'Limits that hold for all keys of the mount.',
  on: {
    read: operation({
      input: {},
      async handle(call) {
        const limits = (await call.storage.get(configRow, limitsSchema)) ?? none
        const data = {
          cas_required: limits.casRequired,
          delete_version_after: formatGoDuration(limits.deleteAfterMs),
          max_versions: limits.maxVersions,
          metadata_cas_required: limits.metadataCasRequired,
        }
        return { kind: 'data', data }
      },
    }),
    update: operation({
      input: limitFields,
      async handle(call) {
        await call.transaction(async (tx) => {
          const changed = changeLimits(await readLimits(tx, call.storage), call.input)
          // Vault knows one way of saying "never".
          writeLimits(tx, call.storage, { ...changed, deleteAfterMs: Math.max(-1000, changed.deleteAfterMs) })
        })
        return { kind: 'none' }
      },
    }),
  },
}

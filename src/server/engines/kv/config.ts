import { formatGoDuration, parseVaultDuration } from '../../../lib/duration.ts'
import { operation, Refusal, type Route } from '../../contracts/request.ts'
import type { SecretStorage, Tx } from '../../contracts/secret-storage.ts'
import { configRow } from './key-row.ts'
import type { MountLimits } from './versions.ts'

const none: MountLimits = { maxVersions: 0, casRequired: false, deleteAfterMs: 0 }

const schema = {
  parse(value: unknown): MountLimits {
    const { maxVersions = 0, casRequired = false, deleteAfterMs = 0 } = (value ?? {}) as Partial<MountLimits>
    return { maxVersions, casRequired, deleteAfterMs }
  },
}

export async function readLimits(tx: Tx, storage: SecretStorage): Promise<MountLimits> {
  return (await tx.get(storage, configRow, schema)) ?? none
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
} as const

/** Refusal 400 when they make no sense. Absent ones stay as they are. */
export function changeLimits<L extends MountLimits>(
  before: L,
  input: { max_versions?: number; cas_required?: boolean; delete_version_after?: string },
): L {
  const { max_versions: max, cas_required: cas, delete_version_after: after } = input
  if (max !== undefined && !(Number.isInteger(max) && max >= 0 && max <= 100_000))
    throw new Refusal(400, 'max_versions must be a whole number between 0 and 100000')
  const deleteAfterMs = after === undefined ? undefined : parseVaultDuration(after)
  if (after !== undefined && deleteAfterMs === undefined)
    throw new Refusal(400, 'delete_version_after is not a duration')
  return {
    ...before,
    ...(max !== undefined && { maxVersions: max }),
    ...(cas !== undefined && { casRequired: cas }),
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
        const limits = (await call.storage.get(configRow, schema)) ?? none
        const data = {
          cas_required: limits.casRequired,
          delete_version_after: formatGoDuration(limits.deleteAfterMs),
          max_versions: limits.maxVersions,
          metadata_cas_required: false,
        }
        return { kind: 'data', data }
      },
    }),
    update: operation({
      input: limitFields,
      async handle(call) {
        await call.transaction(async (tx) => {
          const changed = changeLimits(await readLimits(tx, call.storage), call.input)
          tx.put(call.storage, configRow, { ...changed })
        })
        return { kind: 'none' }
      },
    }),
  },
}

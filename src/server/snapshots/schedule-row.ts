/** What became of the snapshots that the server takes by itself, known to every node: row `core/snapshot-schedule`. */
import * as z from 'zod'
import type { SecretStorage } from '../contracts/secret-storage.ts'

const key = 'snapshot-schedule'

/** Of the members after `takenAt` an older program has written fewer. */
const schema = z.looseObject({
  format: z.literal(1),
  /** When the last one that succeeded began, and ended, by the storage's clock. */
  takenAt: z.number().optional(),
  endedAt: z.number().optional(),
  name: z.string().optional(),
  where: z.string().optional(),
  intervalMs: z.number().optional(),
  /** Since the last one that succeeded. */
  failures: z.number().optional(),
  failedAt: z.number().optional(),
  /** Of the last one that failed, in our own words; '' after one that did not. */
  error: z.string().optional(),
})

export type ScheduleState = Readonly<z.infer<typeof schema>>

/** `core`: the view of "core/". Undefined: none was ever due. */
export const readSchedule = (core: SecretStorage): Promise<ScheduleState | undefined> => core.get(key, schema)

/** What is not named stays as it is. */
export async function noteSchedule(
  core: SecretStorage,
  change: (before: ScheduleState | undefined) => Readonly<Record<string, string | number>>,
): Promise<void> {
  await core.transaction(async (tx) => {
    const before = await tx.get(core, key, schema)
    const kept = Object.entries(before ?? {}).flatMap(([name, value]) =>
      typeof value === 'string' || typeof value === 'number' ? [[name, value] as const] : [],
    )
    tx.put(core, key, { ...Object.fromEntries(kept), ...change(before), format: 1 })
  })
}

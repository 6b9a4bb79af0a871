/** sys/storage/raft/snapshot-auto/status, as Vault Enterprise has it: how the last scheduled snapshots went. */
import { pathToFileURL } from 'node:url'
import type { JsonObject } from '../../../../lib/json/value.ts'
import type { Barrier } from '../../../barrier/barrier.ts'
import { operation, Refusal, type Reply, type Route } from '../../../contracts/request.ts'
import { readSchedule, type ScheduleState } from '../../../snapshots/schedule-row.ts'

/** There is one schedule: that of the stanza with this name. */
const scheduleName = 'snapshots'

export const scheduleStatusRoute = ({ allRows }: { readonly allRows: Barrier }): Route => ({
  path: 'storage/raft/snapshot-auto/status/{name}',
  summary: 'How the snapshots went that the server takes by itself; the name is "snapshots".',
  on: {
    read: operation({
      input: {},
      namespaces: 'root',
      handle: async (call): Promise<Reply> => {
        const state = call.params['name'] === scheduleName ? await readSchedule(allRows.view('core/')) : undefined
        if (!state) {
          throw new Refusal(404, `no snapshot was scheduled under that name: the stanza "${scheduleName}" does it`)
        }
        return { kind: 'data', data: statusOf(state) }
      },
    }),
  },
})

function statusOf({ takenAt, endedAt, name, where, intervalMs, failures, error }: ScheduleState): JsonObject {
  const due = takenAt !== undefined && intervalMs !== undefined ? takenAt + intervalMs : undefined
  return {
    consecutive_errors: failures ?? 0,
    last_snapshot_start: timeOf(takenAt),
    last_snapshot_end: timeOf(endedAt),
    last_snapshot_error: error ?? '',
    last_snapshot_url: name !== undefined && where !== undefined ? urlOf(where, name) : '',
    next_snapshot_start: timeOf(due),
  }
}

const timeOf = (ms: number | undefined) => (ms === undefined ? '' : new Date(ms).toISOString())

const urlOf = (where: string, name: string) =>
  where.startsWith('s3://') ? `${where}${name}` : pathToFileURL(`${where}/${name}`).href

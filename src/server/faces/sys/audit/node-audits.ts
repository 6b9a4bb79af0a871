/** The audit devices of a node of several processes: each has them open for itself, with a chain of its own. */
import type { AuditBroker } from '../../../audit/broker/audit-broker.ts'

export type DeviceStats = ReturnType<AuditBroker['stats']>[number]

export interface NodeAudits {
  /** Of each process that runs now, the one that asks among them. */
  stats(): Promise<readonly (readonly DeviceStats[])[]>
  /** Resolves when every process has written its signed lines. Refusal 503: one has not. */
  checkpoint(): Promise<void>
}

/** This process is the whole node. */
export const ownAudits = (broker: AuditBroker): NodeAudits => ({
  stats: async () => [broker.stats()],
  checkpoint: () => broker.checkpoint(),
})

const worst: readonly DeviceStats['state'][] = ['not open', 'blocked', 'ok']

/** Which devices there are `own` knows, which has just looked; a process that serves nobody may know of others. */
export function nodeStats(
  own: readonly DeviceStats[],
  processes: readonly (readonly DeviceStats[])[],
): readonly DeviceStats[] {
  return own.map((device) => {
    const { path, type } = device
    const all = processes.flatMap((stats) => stats.filter((one) => one.path === path && one.type === type))
    if (all.length === 0) return device
    const sum = (of: (one: DeviceStats) => number) => all.reduce((total, one) => total + of(one), 0)
    const lastError = all.find((one) => one.lastError !== undefined)?.lastError
    return {
      ...{ path, type },
      state: worst.find((state) => all.some((one) => one.state === state)) ?? device.state,
      written: sum(({ written }) => written),
      dropped: sum(({ dropped }) => dropped),
      failures: sum(({ failures }) => failures),
      waiting: sum(({ waiting }) => waiting),
      ...(lastError === undefined ? {} : { lastError }),
    }
  })
}

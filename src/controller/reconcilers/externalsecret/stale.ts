import { type Condition, timestamp } from '../../crds/condition.ts'
import type { ExternalSecret } from '../../crds/external-secret.ts'
import type { Outage } from '../context.ts'
import { followsStore } from './schedule.ts'

export interface StoreOutage {
  readonly store: string
  readonly outage: Outage
}

/** Static values of a KV engine have no end of their own; a lease or a maxStale setting will set one here. */
const until = 'no limit (no lease and no maxStale is set)'

const words = {
  StoreUnreachable: 'is unreachable',
  StoreSealed: 'is sealed',
  StoreFailing: 'fails to answer',
} as const

/**
 * ESO's conditions say whether the last sync worked; this second one says whether the values may be old. It appears with the
 * first outage, keeps the time of that outage's first failure, and is False again once a sync has worked after it.
 */
export function staleCondition(
  es: ExternalSecret,
  outages: readonly StoreOutage[],
  sync: { readonly worked: boolean; readonly nowMs: number },
): Condition | undefined {
  const before = es.status.conditions.find((condition) => condition.type === 'Stale')
  const first = [...outages].sort((a, b) => a.outage.sinceMs - b.outage.sinceMs)[0]
  if (!sync.worked && first && followsStore(es) && es.status.refreshTime !== null) {
    return stale(es.status.refreshTime, first, before)
  }
  if (before?.status !== 'True' || (!sync.worked && followsStore(es))) return before
  return {
    type: 'Stale',
    status: 'False',
    reason: 'Current',
    message: `current again; was stale since ${before.lastTransitionTime ?? 'an unknown time'}`,
    lastTransitionTime: timestamp(sync.nowMs),
  }
}

function stale(refreshTime: string, first: StoreOutage, before: Condition | undefined): Condition {
  // A controller that starts during an outage did not see it begin: the condition did.
  const known = before?.status === 'True' ? before.lastTransitionTime : undefined
  const since = known ?? timestamp(first.outage.sinceMs)
  const { reason } = first.outage
  return {
    type: 'Stale',
    status: 'True',
    reason,
    message: `SecretStore ${JSON.stringify(first.store)} ${words[reason]}; the values read at ${refreshTime} are kept; since=${since}; until=${until}`,
    lastTransitionTime: since,
  }
}

import type { Secret } from '../../../kube/object-types.ts'
import { type Condition, timestamp, withCondition } from '../../crds/condition.ts'
import type { ExternalSecretStatus } from '../../crds/external-secret.ts'
import type { EventNote, Next } from '../context.ts'
import { desiredSecret } from './desired-secret.ts'
import { isControlledBy, syncedVersionOf, targetNameOf } from './marks/marks.ts'
import type { Observed } from './observe.ts'
import { isRefreshDue, isSecretValid, untilRefreshMs } from './schedule.ts'
import { staleCondition } from './stale.ts'
import { refusalOf } from './unsupported.ts'
import type { Collected } from './values/collect.ts'

/** What to do with what was observed, before any store is asked. */
export type Plan =
  | { readonly do: 'ignore' }
  /** It is being deleted: undo what is ours, then let it go. */
  | { readonly do: 'finish'; readonly deleteSecret: boolean }
  | { readonly do: 'wait'; readonly next: Next }
  | { readonly do: 'settle'; readonly verdict: Verdict }
  | { readonly do: 'collect' }

/** At most one Secret write and one status write, with the events that tell of them. */
export interface Verdict {
  readonly secret: SecretWrite
  readonly orphans: readonly Secret[]
  readonly status: ExternalSecretStatus
  readonly events: readonly EventNote[]
  readonly next: Next
}
export type SecretWrite =
  | { readonly write: 'nothing' }
  | { readonly write: 'create' | 'update' | 'delete'; readonly secret: Secret }

const nothing: SecretWrite = { write: 'nothing' }

export function planFor(observed: Observed): Plan {
  const { es, stores, secret, nowMs } = observed
  if (es.object.metadata.deletionTimestamp !== undefined) {
    const owned = secret !== undefined && isControlledBy(secret.metadata, es)
    return { do: 'finish', deleteSecret: es.spec.target.deletionPolicy === 'Delete' && owned }
  }
  const states = [...stores.values()].map((view) => view.state)
  if (states.includes('foreign')) return { do: 'ignore' }
  const refusal = refusalOf(es)
  if (refusal !== undefined) return { do: 'settle', verdict: failed(observed, refusal, refusal, { when: 'never' }) }
  if (!isRefreshDue(es, nowMs, observed.changedRemotely) && isSecretValid(es, secret)) {
    return { do: 'settle', verdict: idle(observed) }
  }
  // A store that was applied together with this object gets a moment; ESO would warn about it first.
  if (states.includes('new')) return { do: 'wait', next: { when: 'after', ms: 1000 } }
  return { do: 'collect' }
}

/** Nothing is due; only an outage that began or ended may have to be told. */
function idle(observed: Observed): Verdict {
  const { es, nowMs } = observed
  const ms = untilRefreshMs(es, nowMs)
  return {
    secret: nothing,
    orphans: [],
    status: { ...es.status, conditions: withStale(observed, es.status.conditions, false) },
    events: [],
    next: ms === undefined ? { when: 'never' } : { when: 'after', ms },
  }
}

export function verdictOn(observed: Observed, collected: Collected): Verdict {
  if (!collected.ok) {
    const next: Next = { when: collected.retry }
    return failed(observed, 'could not get secret data from provider', collected.message, next)
  }
  const events = collected.missing.map((message) => normal('MissingProviderSecret', message))
  if (collected.data.size === 0 && observed.es.spec.target.deletionPolicy !== 'Merge') {
    return withNothingFound(observed, events)
  }
  return withValues(observed, collected.data, events)
}

function withNothingFound(observed: Observed, events: readonly EventNote[]): Verdict {
  const { es, secret } = observed
  const { creationPolicy, deletionPolicy } = es.spec.target
  if (deletionPolicy === 'Retain') {
    const ready = { reason: 'SecretSynced', message: 'secret retained due to DeletionPolicy=Retain' }
    return synced(observed, { ready, events, binding: es.status.binding.name })
  }
  if (creationPolicy !== 'Owner') {
    const why = `unable to delete secret ${targetNameOf(es)}: creationPolicy=${creationPolicy} is not Owner`
    return failed(observed, 'could not delete secret', why, { when: 'backoff' })
  }
  const message = 'secret deleted due to DeletionPolicy=Delete'
  const ready = { reason: 'SecretDeleted', message }
  if (!secret) return synced(observed, { ready, events })
  if (!isControlledBy(secret.metadata, es)) {
    const why = `unable to delete secret ${targetNameOf(es)}: it is not controlled by this ExternalSecret`
    return failed(observed, 'could not delete secret', why, { when: 'never' })
  }
  return synced(observed, {
    ready,
    events: [...events, normal('Deleted', message)],
    secret: { write: 'delete', secret },
  })
}

function withValues(observed: Observed, data: ReadonlyMap<string, Uint8Array>, events: readonly EventNote[]): Verdict {
  const { es, secret, orphans } = observed
  const { creationPolicy } = es.spec.target
  const ready = { reason: 'SecretSynced', message: 'secret synced' }
  if (creationPolicy === 'None') return synced(observed, { ready, events })
  if (creationPolicy === 'Merge' && !secret) {
    const missing = { reason: 'SecretMissing', message: 'secret will not be created due to CreationPolicy=Merge' }
    return synced(observed, { ready: missing, events })
  }
  const desired = desiredSecret(es, secret, data)
  if ('refused' in desired) return failed(observed, desired.refused, desired.refused, { when: 'never' })
  const told = {
    nothing: [],
    create: [normal('Created', 'secret created')],
    update: [normal('Updated', 'secret updated')],
  }
  return {
    ...synced(observed, {
      ready,
      secret: desired,
      binding: targetNameOf(es),
      events: [
        ...events,
        ...told[desired.write],
        ...orphans.map(() => normal('Deleted', 'secret deleted because it was orphaned')),
      ],
    }),
    orphans,
  }
}

interface Synced {
  readonly ready: { readonly reason: string; readonly message: string }
  readonly events: readonly EventNote[]
  readonly secret?: SecretWrite
  readonly binding?: string
}

function synced(observed: Observed, result: Synced): Verdict {
  const { es, nowMs } = observed
  const ready = { type: 'Ready', status: 'True', ...result.ready } as const
  const status: ExternalSecretStatus = {
    refreshTime: timestamp(nowMs),
    syncedResourceVersion: syncedVersionOf(es),
    conditions: withStale(observed, withCondition(es.status.conditions, ready, nowMs), true),
    binding: { name: result.binding ?? '' },
  }
  const ms = untilRefreshMs({ ...es, status }, nowMs)
  return {
    secret: result.secret ?? nothing,
    orphans: [],
    status,
    events: result.events,
    next: ms === undefined ? { when: 'never' } : { when: 'after', ms },
  }
}

/** The Secret, refreshTime and binding stay as they are: only the condition tells. `cause` goes into the event. */
export function failed(observed: Observed, message: string, cause: string, next: Next): Verdict {
  const { es, nowMs } = observed
  const ready = { type: 'Ready', status: 'False', reason: 'SecretSyncedError', message } as const
  return {
    secret: nothing,
    orphans: [],
    status: {
      ...es.status,
      conditions: withStale(observed, withCondition(es.status.conditions, ready, nowMs), false),
    },
    events: [{ type: 'Warning', reason: 'UpdateFailed', message: cause }],
    next,
  }
}

function withStale(observed: Observed, conditions: readonly Condition[], worked: boolean): Condition[] {
  const stale = staleCondition(observed.es, observed.outages, { worked, nowMs: observed.nowMs })
  const others = conditions.filter((condition) => condition.type !== 'Stale')
  return stale ? [...others, stale] : others
}

const normal = (reason: string, message: string): EventNote => ({ type: 'Normal', reason, message })

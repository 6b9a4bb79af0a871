import type { Secret } from '../../../kube/object-types.ts'
import { parseGoDuration } from '../../../lib/duration.ts'
import type { ExternalSecret } from '../../crds/external-secret.ts'
import { dataHash } from './marks/digest.ts'
import { dataHashAnnotation, managedLabel, syncedVersionOf } from './marks/marks.ts'
import { decodedData } from './secret-data.ts'

/** Milliseconds; 0: synced once. */
export function refreshIntervalMs(es: ExternalSecret): number {
  return Math.max(0, parseGoDuration(es.spec.refreshInterval) ?? 0)
}

/** Whether it goes on following its store after the first sync; only then can it be stale. */
export function followsStore(es: ExternalSecret): boolean {
  return es.spec.refreshPolicy === 'Periodic' && refreshIntervalMs(es) > 0
}

/** ESO's shouldRefresh, plus: a change that the store told of does not wait for the interval. */
export function isRefreshDue(es: ExternalSecret, nowMs: number, changedRemotely: boolean): boolean {
  const { refreshPolicy } = es.spec
  const synced = es.status.syncedResourceVersion ?? ''
  const refreshedMs = refreshTimeMs(es)
  if (refreshPolicy === 'CreatedOnce') return synced === '' || refreshedMs === undefined
  if (refreshPolicy === 'OnChange') {
    return synced === '' || refreshedMs === undefined || synced !== syncedVersionOf(es)
  }
  const intervalMs = refreshIntervalMs(es)
  if (intervalMs === 0 && synced !== '') return false
  if (synced !== syncedVersionOf(es)) return true
  if (refreshedMs === undefined || refreshedMs > nowMs) return true
  return changedRemotely || refreshedMs + intervalMs <= nowMs
}

/** How long until the interval asks for the next refresh; undefined: never. */
export function untilRefreshMs(es: ExternalSecret, nowMs: number): number | undefined {
  if (!followsStore(es)) return undefined
  const refreshedMs = refreshTimeMs(es) ?? nowMs
  return Math.max(0, refreshedMs + refreshIntervalMs(es) - nowMs)
}

/** ESO's isSecretValid: it is there, marked, and its data is what we wrote. Orphans are left alone until the next refresh. */
export function isSecretValid(es: ExternalSecret, secret: Secret | undefined): boolean {
  if (es.spec.target.creationPolicy === 'Orphan') return true
  if (!secret?.metadata.uid || secret.metadata.labels?.[managedLabel] !== 'true') return false
  return secret.metadata.annotations?.[dataHashAnnotation] === dataHash(decodedData(secret))
}

function refreshTimeMs(es: ExternalSecret): number | undefined {
  const ms = es.status.refreshTime === null ? Number.NaN : Date.parse(es.status.refreshTime)
  return Number.isNaN(ms) ? undefined : ms
}

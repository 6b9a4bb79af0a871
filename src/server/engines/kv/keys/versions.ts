/** What writing, deleting and destroying does to a key's versions: pure. */
import type { CustomMetadata, KeyChange, KeyState, VersionInfo } from './key-row.ts'

export interface MountLimits {
  /** 0 = the default of 10. */
  readonly maxVersions: number
  readonly casRequired: boolean
  /** 0 = never, unless the key says so; negative = never, whatever keys say. */
  readonly deleteAfterMs: number
  readonly metadataCasRequired: boolean
}

const defaultMaxVersions = 10
const noVersion: VersionInfo = { version: 0, createdAt: 0, deletedAt: 0, destroyed: false }

export function newKey(now: number): KeyState {
  return {
    current: noVersion,
    custom: null,
    createdAt: now,
    updatedAt: now,
    maxVersions: 0,
    casRequired: false,
    deleteAfterMs: 0,
    oldestVersion: 0,
    metadataVersion: 0,
    metadataCasRequired: false,
    lastChange: 'metadata-write',
    older: [],
  }
}

export function findVersion(state: KeyState, version: number): VersionInfo | undefined {
  if (version === 0 || version === state.current.version) return state.current.version > 0 ? state.current : undefined
  return state.older.find((v) => v.version === version)
}

/** Destroyed, or deleted by now: its data is not shown. */
export function isGone(version: VersionInfo, now: number): boolean {
  return version.destroyed || (version.deletedAt > 0 && version.deletedAt <= now)
}

/** What version 1 of the engine wrote, in a mount that was upgraded at `upgradedAt`: the key's version 1. */
export function unversionedKey(upgradedAt: number): KeyState {
  const current: VersionInfo = { version: 1, createdAt: upgradedAt, deletedAt: 0, destroyed: false }
  return { ...newKey(upgradedAt), current, lastChange: 'data-write' }
}

/** When a version that is written now ends by itself; 0 = never. The smaller of key and mount counts, a negative one forbids it. */
export function deletionTime(state: KeyState, mount: MountLimits, now: number): number {
  if (state.deleteAfterMs < 0 || mount.deleteAfterMs < 0) return 0
  const [key, own] = [state.deleteAfterMs, mount.deleteAfterMs]
  const after = key > 0 && own > 0 ? Math.min(key, own) : key + own
  return after > 0 ? now + after : 0
}

/** A new current version, and which versions fall off the end. */
export function addVersion(
  state: KeyState,
  mount: MountLimits,
  now: number,
  change: KeyChange,
): { readonly state: KeyState; readonly trimmed: readonly number[] } {
  const version = state.current.version + 1
  const current = { version, createdAt: now, deletedAt: deletionTime(state, mount, now), destroyed: false }
  const known = state.current.version > 0 ? [...state.older, state.current] : state.older
  const max = Math.max(state.maxVersions, mount.maxVersions) || defaultMaxVersions
  const trimmed = known.slice(0, Math.max(0, known.length + 1 - max)).map((v) => v.version)
  const older = known.slice(trimmed.length)
  const oldestVersion = trimmed.length > 0 ? (older[0]?.version ?? version) : state.oldestVersion
  return { state: { ...state, current, older, oldestVersion, updatedAt: now, lastChange: change }, trimmed }
}

/** Applies `edit` to the versions named; unknown ones are ignored. */
function editVersions(
  state: KeyState,
  versions: readonly number[],
  change: KeyChange,
  edit: (version: VersionInfo) => VersionInfo,
): KeyState {
  const wanted = new Set(versions)
  const apply = (v: VersionInfo) => (v.version > 0 && wanted.has(v.version) ? edit(v) : v)
  return { ...state, current: apply(state.current), older: state.older.map(apply), lastChange: change }
}

export function softDelete(
  state: KeyState,
  versions: readonly number[],
  now: number,
  change: 'data-delete' | 'delete' = 'data-delete',
): KeyState {
  return editVersions(state, versions, change, (v) => (isGone(v, now) ? v : { ...v, deletedAt: now }))
}

export function undelete(state: KeyState, versions: readonly number[], mount: MountLimits, now: number): KeyState {
  const deletedAt = deletionTime(state, mount, now)
  return editVersions(state, versions, 'undelete', (v) => (v.destroyed ? v : { ...v, deletedAt }))
}

export function destroy(state: KeyState, versions: readonly number[]): KeyState {
  return editVersions(state, versions, 'destroy', (v) => ({ ...v, destroyed: true }))
}

export function setCustom(state: KeyState, custom: CustomMetadata): KeyState {
  return { ...state, custom: custom && Object.keys(custom).length > 0 ? custom : null }
}

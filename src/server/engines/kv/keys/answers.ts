/** Metadata as the API prints it; members in Vault's order, times as Go prints them. */
import { formatGoDuration } from '../../../../lib/duration.ts'
import { formatGoTime } from '../../../../lib/go-time.ts'
import type { JsonObject } from '../../../../lib/json/value.ts'
import type { CustomMetadata, KeyState, VersionInfo } from './key-row.ts'

/** '' for 0. */
export const goTime = (ms: number): string => (ms === 0 ? '' : formatGoTime(ms))

export function versionAnswer(version: VersionInfo, custom: CustomMetadata): JsonObject {
  return {
    created_time: goTime(version.createdAt),
    custom_metadata: custom,
    deletion_time: goTime(version.deletedAt),
    destroyed: version.destroyed,
    version: version.version,
  }
}

export function metadataAnswer(state: KeyState): JsonObject {
  const versions: Record<string, JsonObject> = {}
  for (const v of state.current.version > 0 ? [...state.older, state.current] : state.older) {
    versions[String(v.version)] = {
      created_time: goTime(v.createdAt),
      deletion_time: goTime(v.deletedAt),
      destroyed: v.destroyed,
    }
  }
  return {
    cas_required: state.casRequired,
    created_time: goTime(state.createdAt),
    current_metadata_version: state.metadataVersion,
    current_version: state.current.version,
    custom_metadata: state.custom,
    delete_version_after: formatGoDuration(state.deleteAfterMs),
    max_versions: state.maxVersions,
    metadata_cas_required: state.metadataCasRequired,
    oldest_version: state.oldestVersion,
    updated_time: goTime(state.updatedAt),
    versions,
  }
}

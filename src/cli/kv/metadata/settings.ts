import { parseVaultDuration } from '../../../lib/duration.ts'
import type { Json, JsonObject } from '../../../lib/json/value.ts'
import type { CommandCall } from '../../command.ts'
import type { FlagSpecs } from '../../flags.ts'

export const settingFlags: FlagSpecs = {
  'max-versions': { kind: 'int', about: 'How many versions are kept. 0: as many as the engine says.' },
  'cas-required': { kind: 'bool', about: 'Writes must say which version they replace (-cas).' },
  'delete-version-after': { kind: 'duration', about: 'How long after its creation a version is deleted: 3h25m19s.' },
  'custom-metadata': { kind: 'map', about: 'A name and a value for people and tools, name=value; may be repeated.' },
}

/** What was given, as the API takes it. */
export function settingsOf(call: CommandCall): JsonObject {
  const { flags } = call
  const settings: Record<string, Json> = {}
  const max = flags.int('max-versions')
  const after = flags.text('delete-version-after')
  // Negative is how scripts say "leave it".
  if (max !== undefined && max >= 0) settings['max_versions'] = max
  if (flags.has('cas-required')) settings['cas_required'] = flags.on('cas-required')
  if (after !== undefined && (parseVaultDuration(after) ?? -1) >= 0) settings['delete_version_after'] = after
  if (flags.has('custom-metadata')) settings['custom_metadata'] = flags.map('custom-metadata')
  return settings
}

export const notVersioned = 'Metadata not supported on KV Version 1'

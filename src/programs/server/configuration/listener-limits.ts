/** What a listener's requests may take: Vault's and OpenBao's names for size, time and JSON. */
import type { members } from '../../../lib/hcl/read.ts'
import { HclError, type HclItem } from '../../../lib/hcl/tree.ts'
import type { RequestLimits } from '../../../server/pipeline/input/request-limits.ts'
import { bytesOf, countOf, durationOf } from './settings.ts'

type Settings = ReturnType<typeof members>

export const limitNames = [
  'max_request_size',
  'max_request_duration',
  'max_request_json_memory',
  'max_request_json_strings',
  'max_json_depth',
  'max_json_string_value_length',
  'max_json_object_entry_count',
  'max_json_array_element_count',
] as const

/** What reads JSON calls itself for each level. */
const deepest = 1000

export interface ListenerLimits {
  readonly maxRequestBytes?: number
  readonly requests?: RequestLimits
}

export function readLimits(settings: Settings): ListenerLimits {
  const of = (name: (typeof limitNames)[number], read: (item: HclItem) => number | undefined = countOf) =>
    limitOf(settings[name], read)
  const maxRequestBytes = of('max_request_size', bytesOf)
  const maxDepth = of('max_json_depth')
  if (maxDepth !== undefined && maxDepth > deepest) {
    throw new HclError(`"max_json_depth" is ${maxDepth}; at most ${deepest} are accepted`, placeOf(settings))
  }
  const json = defined({
    // A text that may arrive may also be read.
    maxBytes: of('max_request_json_memory', bytesOf) ?? maxRequestBytes,
    maxStrings: of('max_request_json_strings'),
    maxDepth,
    maxStringLength: of('max_json_string_value_length'),
  })
  const requests = defined({
    durationMs: durationLimitOf(settings['max_request_duration']),
    json: Object.keys(json).length > 0 ? json : undefined,
    maxMembers: of('max_json_object_entry_count'),
    maxElements: of('max_json_array_element_count'),
  })
  return {
    ...(maxRequestBytes === undefined ? {} : { maxRequestBytes }),
    ...(Object.keys(requests).length > 0 ? { requests } : {}),
  }
}

/** 0 is the default, as in Vault; what has no limit there has one here. */
function limitOf(item: HclItem | undefined, read: (item: HclItem) => number | undefined): number | undefined {
  if (!item) return undefined
  const { value } = item
  if ((typeof value === 'number' || typeof value === 'string') && Number(value) < 0) {
    throw new HclError(`"${item.key}" is ${value}: there is always a limit here; 0 is the default`, item)
  }
  return read(item) || undefined
}

/** Also of the top level's default_max_request_duration. */
export const durationLimitOf = (item: HclItem | undefined): number | undefined =>
  item && (item.value === 0 || item.value === '0' || item.value === '0s') ? undefined : durationOf(item)

const placeOf = (settings: Settings) => settings['max_json_depth'] ?? { line: 1, column: 1 }

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> }
const defined = <T extends object>(object: T): Defined<T> =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Defined<T>

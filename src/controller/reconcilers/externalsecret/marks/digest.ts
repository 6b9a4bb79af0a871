import { createHash } from 'node:crypto'
import { compareUtf8 } from '../../../../lib/json/stringify.ts'

/** SHA3-224 in hex: ESO's object hash. */
export function sha3(text: string): string {
  return createHash('sha3-224').update(text).digest('hex')
}

/** The hash of a Secret's data: of Go's `%+v` of map[string][]byte, "map[a:[98 97] b:[]]". */
export function dataHash(data: ReadonlyMap<string, Uint8Array>): string {
  return sha3(goMap([...data].map(([key, bytes]) => [key, `[${bytes.join(' ')}]`])))
}

/** The part of syncedResourceVersion that follows labels and annotations: any change of them asks for a refresh. */
export function metadataHash(meta: { annotations?: Record<string, string>; labels?: Record<string, string> }): string {
  const annotations = goMap(Object.entries(meta.annotations ?? {}))
  const labels = goMap(Object.entries(meta.labels ?? {}))
  return sha3(`{annotations:${annotations} labels:${labels}}`)
}

function goMap(entries: [string, string][]): string {
  const sorted = entries.sort(([a], [b]) => compareUtf8(a, b))
  return `map[${sorted.map(([key, value]) => `${key}:${value}`).join(' ')}]`
}

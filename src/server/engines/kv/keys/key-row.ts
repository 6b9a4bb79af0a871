/**
 * A key's one row: three lines, so that reading the latest version parses one short line and copies the rest.
 *
 *   {"format":1,"version":5,…}      what a read of the latest version answers besides the data
 *   {"created":…,"older":[…]}       everything else about the key
 *   {"user":"u", …}                 the latest version's data, as the client wrote it; empty when there is none
 *
 * Neither JSON text holds a line end: within strings they are escaped, between tokens there are none. So a row without
 * line ends is a value that version 1 wrote: a mount that was upgraded reads it as the key's version 1 until someone writes it.
 */
import { parseJson } from '../../../../lib/json/parse.ts'
import { RawJson } from '../../../../lib/json/value.ts'

export interface VersionInfo {
  readonly version: number
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  /** 0 = not deleted; may lie in the future. */
  readonly deletedAt: number
  readonly destroyed: boolean
}
export type CustomMetadata = Readonly<Record<string, string>> | null

/** What happened last, as the events name it. */
export type KeyChange =
  | 'data-write'
  | 'data-patch'
  | 'data-delete'
  /** Of versions that were named. */
  | 'delete'
  | 'undelete'
  | 'destroy'
  | 'metadata-write'
  | 'metadata-patch'

export interface KeyHead {
  /** Version 0: only metadata was written. */
  readonly current: VersionInfo
  readonly custom: CustomMetadata
}
export interface KeyState extends KeyHead {
  readonly createdAt: number
  readonly updatedAt: number
  /** 0 = the mount's. */
  readonly maxVersions: number
  readonly casRequired: boolean
  /** 0 = the mount's; negative = never. */
  readonly deleteAfterMs: number
  /** Stays 0 until versions are trimmed. */
  readonly oldestVersion: number
  readonly metadataVersion: number
  /** Metadata writes must say which metadataVersion they replace. */
  readonly metadataCasRequired: boolean
  readonly lastChange: KeyChange
  /** All but the current one, oldest first. */
  readonly older: readonly VersionInfo[]
}

interface HeadLine {
  readonly format: 1
  readonly version: number
  readonly created: number
  readonly deleted: number
  readonly destroyed: boolean
  readonly custom: CustomMetadata
}
interface RestLine {
  readonly created: number
  readonly updated: number
  readonly maxVersions: number
  readonly casRequired: boolean
  readonly deleteAfter: number
  readonly oldest: number
  readonly metadataVersion: number
  /** Absent in rows of earlier servers: false. */
  readonly metadataCas?: boolean
  readonly last: KeyChange
  /** [version, created, deleted, destroyed] */
  readonly older: readonly (readonly [number, number, number, 0 | 1])[]
}

const lineEnd = 0x0a

/** `data`: new, or bytes as another row has them. */
export function encodeKey(state: KeyState, data: RawJson | Uint8Array | undefined): Uint8Array {
  const { current } = state
  const head: HeadLine = {
    format: 1,
    version: current.version,
    created: current.createdAt,
    deleted: current.deletedAt,
    destroyed: current.destroyed,
    custom: state.custom,
  }
  const rest: RestLine = {
    created: state.createdAt,
    updated: state.updatedAt,
    maxVersions: state.maxVersions,
    casRequired: state.casRequired,
    deleteAfter: state.deleteAfterMs,
    oldest: state.oldestVersion,
    metadataVersion: state.metadataVersion,
    ...(state.metadataCasRequired && { metadataCas: true }),
    last: state.lastChange,
    older: state.older.map((v) => [v.version, v.createdAt, v.deletedAt, v.destroyed ? 1 : 0] as const),
  }
  const lines = `${JSON.stringify(head)}\n${JSON.stringify(rest)}\n`
  return data instanceof Uint8Array
    ? Buffer.concat([Buffer.from(lines), data])
    : Buffer.from(data ? lines + data.text : lines)
}

/** A value as version 1 of the engine keeps it. */
export function isUnversioned(bytes: Uint8Array): boolean {
  return !bytes.includes(lineEnd)
}

/** The latest version as a read needs it. `data` is undefined when its bytes are gone or were never there. */
export function decodeLatest(bytes: Uint8Array): KeyHead & { readonly data: RawJson | undefined } {
  const buffer = asBuffer(bytes)
  const [headEnd, restEnd] = lineEnds(buffer)
  const text = buffer.toString('utf8', restEnd + 1)
  const { current, custom } = readHead(buffer, headEnd)
  return { current, custom, data: text === '' ? undefined : new RawJson(text) }
}

/** `data`: the latest version's bytes, which still are those of the row. */
export function decodeKey(bytes: Uint8Array): { readonly state: KeyState; readonly data: Uint8Array | undefined } {
  const buffer = asBuffer(bytes)
  const [headEnd, restEnd] = lineEnds(buffer)
  const rest: RestLine = JSON.parse(buffer.toString('utf8', headEnd + 1, restEnd))
  const { current, custom } = readHead(buffer, headEnd)
  // Member by member: a spread with as many members after it took 7 µs, all the rest 3.
  const state: KeyState = {
    current,
    custom,
    createdAt: rest.created,
    updatedAt: rest.updated,
    maxVersions: rest.maxVersions,
    casRequired: rest.casRequired,
    deleteAfterMs: rest.deleteAfter,
    oldestVersion: rest.oldest,
    metadataVersion: rest.metadataVersion,
    metadataCasRequired: rest.metadataCas ?? false,
    lastChange: rest.last,
    older: rest.older.map((v) => ({ version: v[0], createdAt: v[1], deletedAt: v[2], destroyed: v[3] === 1 })),
  }
  return { state, data: restEnd + 1 === buffer.length ? undefined : buffer.subarray(restEnd + 1) }
}

function readHead(buffer: Buffer, end: number): KeyHead {
  const head: HeadLine = JSON.parse(buffer.toString('utf8', 0, end))
  if (head.format !== 1) throw new Error('a KV key row of an unknown format')
  const { version, created, deleted, destroyed, custom } = head
  return { current: { version, createdAt: created, deletedAt: deleted, destroyed }, custom }
}

function lineEnds(buffer: Buffer): [number, number] {
  const headEnd = buffer.indexOf(lineEnd)
  const restEnd = buffer.indexOf(lineEnd, headEnd + 1)
  if (headEnd < 0 || restEnd < 0) throw new Error('a KV key row that is cut short')
  return [headEnd, restEnd]
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** An older version's data: its text alone. */
export function decodeData(bytes: Uint8Array): RawJson {
  return new RawJson(asBuffer(bytes).toString('utf8'))
}

export function parseData(data: Uint8Array) {
  return parseJson(data, { maxBytes: Number.POSITIVE_INFINITY })
}

/** Keys below the mount's view. The version is the last segment, so no two versions of two keys share a row. */
export const keyRow = (path: string) => `key/${path}`
export const versionRow = (path: string, version: number) => `version/${path}/${version}`
export const configRow = 'config'

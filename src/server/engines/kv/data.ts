import { mergePatch } from '../../../lib/json/merge-patch.ts'
import { isLarge } from '../../../lib/json/size.ts'
import { stringifyJson } from '../../../lib/json/stringify.ts'
import { isJsonObject, type Json, JsonNumber, RawJson } from '../../../lib/json/value.ts'
import { type Call, operation, Refusal, type Reply, type Route } from '../../contracts/request.ts'
import type { SecretStorage, Tx } from '../../contracts/secret-storage.ts'
import { limitsSchema, readLimits } from './config.ts'
import { notOnRoot } from './invalid-path.ts'
import { versionAnswer } from './keys/answers.ts'
import {
  type CustomMetadata,
  configRow,
  decodeData,
  decodeKey,
  decodeLatest,
  encodeKey,
  isUnversioned,
  type KeyChange,
  type KeyState,
  keyRow,
  parseData,
  type VersionInfo,
  versionRow,
} from './keys/key-row.ts'
import { readKey, storedKey } from './keys/stored-key.ts'
import { leaveBehind } from './keys/sweep.ts'
import { addVersion, findVersion, isGone, type MountLimits, newKey, softDelete } from './keys/versions.ts'
import { largeText } from './large-data.ts'

type Rows = Pick<Call, 'params' | 'storage'>
const pathOf = (call: Pick<Call, 'params'>) => call.params['path'] ?? ''
const rowsOf = (call: Rows) => [call.storage.prefix + keyRow(pathOf(call)), call.storage.prefix + configRow]

async function readVersion(call: Call, version: number): Promise<Reply> {
  const path = pathOf(call)
  const bytes = path === '' ? undefined : await call.storage.getBytes(keyRow(path))
  if (!bytes) return { kind: 'none' }
  if (isUnversioned(bytes)) return readUnversioned(call, version, bytes)
  const latest = decodeLatest(bytes)
  if (version === 0 || version === latest.current.version) {
    return latest.current.version === 0
      ? { kind: 'none' }
      : versionReply(latest.current, latest.custom, latest.data, call.now)
  }
  const { state } = decodeKey(bytes)
  const found = findVersion(state, version)
  if (!found) return { kind: 'none' }
  const stored = isGone(found, call.now) ? undefined : await call.storage.getBytes(versionRow(path, version))
  return versionReply(found, state.custom, stored && decodeData(stored), call.now)
}

/** What version 1 of the engine wrote and nobody has written since the mount was upgraded. */
async function readUnversioned(call: Call, version: number, bytes: Uint8Array): Promise<Reply> {
  const upgradedAt = (await call.storage.get(configRow, limitsSchema))?.upgradedAt ?? 0
  const { current, custom } = storedKey(bytes, upgradedAt).state
  return version > 1 ? { kind: 'none' } : versionReply(current, custom, decodeData(bytes), call.now)
}

/** Deleted versions still show their metadata, with status 404. */
function versionReply(version: VersionInfo, custom: CustomMetadata, data: RawJson | undefined, now: number): Reply {
  const metadata = versionAnswer(version, custom)
  if (isGone(version, now)) return { kind: 'data', status: 404, data: { data: null, metadata } }
  return { kind: 'data', data: { data: data ?? null, metadata } }
}

/** Puts a new version in the key's row and moves the one before into a row of its own. */
function putVersion(
  tx: Tx,
  storage: SecretStorage,
  path: string,
  before: { state: KeyState; data: Uint8Array | undefined },
  written: { data: RawJson; limits: MountLimits; now: number; change: KeyChange },
): KeyState | Promise<KeyState> {
  const { state, trimmed } = addVersion(before.state, written.limits, written.now, written.change)
  const previous = before.state.current.version
  if (before.data && !trimmed.includes(previous)) tx.put(storage, versionRow(path, previous), before.data)
  for (const version of trimmed.slice(0, maxTrim))
    if (version !== previous) tx.remove(storage, versionRow(path, version))
  tx.put(storage, keyRow(path), encodeKey(state, written.data))
  // A limit that was lowered can trim more than a commit takes.
  if (trimmed.length <= maxTrim) return state
  return leaveBehind(tx, storage, path, trimmed.slice(maxTrim)).then(() => state)
}
const maxTrim = 200

async function write(call: Call): Promise<Reply> {
  const path = pathOf(call)
  const { data, options } = call.input
  if (path === '') return notOnRoot
  if (data === undefined) throw new Refusal(400, 'no data provided')
  const written = isLarge(data) ? await largeDataOf(data) : dataOf(data)
  const cas = casOf(options)
  const state = await call.transaction(async (tx) => {
    const row = await tx.getBytes(call.storage, keyRow(path))
    const limits = await readLimits(tx, call.storage)
    const before = row ? storedKey(row, limits.upgradedAt) : { state: newKey(call.now), data: undefined }
    checkCas(cas, before.state, limits)
    return putVersion(tx, call.storage, path, before, { data: written, limits, now: call.now, change: 'data-write' })
  })
  return { kind: 'data', data: versionAnswer(state.current, state.custom) }
}

async function patch(call: Call): Promise<Reply> {
  const path = pathOf(call)
  const { data, options } = call.input
  if (path === '') return notOnRoot
  if (data === undefined) throw new Refusal(400, 'no data provided')
  const change = data === null ? {} : data
  if (isLarge(change)) await largeDataOf(change)
  else dataOf(change)
  const cas = casOf(options)
  return call.transaction(async (tx): Promise<Reply> => {
    const row = await tx.getBytes(call.storage, keyRow(path))
    const limits = await readLimits(tx, call.storage)
    const before = row && storedKey(row, limits.upgradedAt)
    if (!before || before.state.current.version === 0) return { kind: 'none', status: 404 }
    checkCas(cas, before.state, limits)
    const { current, custom } = before.state
    if (isGone(current, call.now)) return versionReply(current, custom, undefined, call.now)
    // Vault's words with 400: its 500 would make clients try again.
    const known = before.data ? parseData(before.data) : null
    if (known === null) throw new Refusal(400, '1 error occurred:\n\t* resource does not exist\n\n')
    const merged = mergePatch(known, change)
    const patched = { data: new RawJson(stringifyJson(merged)), limits, now: call.now, change: 'data-patch' } as const
    const state = await putVersion(tx, call.storage, path, before, patched)
    return { kind: 'data', data: versionAnswer(state.current, state.custom) }
  })
}

async function remove(call: Call): Promise<Reply> {
  const path = pathOf(call)
  if (path === '') return notOnRoot
  await deleteLatest(call.storage, path, call.now)
  return { kind: 'none' }
}

/** Softly; false when there is nothing that could be read. */
export function deleteLatest(storage: SecretStorage, path: string, now: number): Promise<boolean> {
  return storage.transaction(async (tx) => {
    const key = await readKey(tx, storage, path)
    if (!key || key.state.current.version === 0 || isGone(key.state.current, now)) return false
    const state = softDelete(key.state, [key.state.current.version], now)
    tx.put(storage, keyRow(path), encodeKey(state, key.data))
    return true
  })
}

/** The text that is kept. Refusal 400 when it is no object; null is what Vault takes for one without members. */
function dataOf(data: Json): RawJson {
  if (data instanceof RawJson) return data
  if (data === null || isJsonObject(data)) return new RawJson(stringifyJson(data))
  throw new Refusal(
    400,
    `error converting input for field "data": '' expected type 'map[string]interface {}', got unconvertible type '${goType(data)}'`,
  )
}

async function largeDataOf(data: Json): Promise<RawJson> {
  return isJsonObject(data) ? new RawJson(await largeText(data)) : dataOf(data)
}

function goType(value: Json): string {
  if (typeof value === 'string') return 'string'
  if (typeof value === 'boolean') return 'bool'
  return Array.isArray(value) ? '[]interface {}' : 'json.Number'
}

function casOf(options: Json | undefined): number | undefined {
  const cas = options && isJsonObject(options) ? options['cas'] : undefined
  if (cas === undefined || cas === null) return undefined
  const number = typeof cas === 'string' || cas instanceof JsonNumber ? Number(String(cas)) : cas
  if (typeof number !== 'number' || !Number.isSafeInteger(number))
    throw new Refusal(400, 'error parsing check-and-set parameter')
  return number
}

function checkCas(cas: number | undefined, state: KeyState, limits: MountLimits): void {
  if (cas === undefined) {
    if (state.casRequired || limits.casRequired)
      throw new Refusal(400, 'check-and-set parameter required for this call')
  } else if (cas !== state.current.version) {
    throw new Refusal(400, 'check-and-set parameter did not match the current version')
  }
}

const version = { kind: 'int', description: 'Which version to read. 0 or absent: the latest.', default: 0 } as const

export const dataRoute: Route = {
  path: 'data/{path...?}',
  summary: 'Read, write, patch and delete versions of a key.',
  exists: async (call) => (await call.storage.getBytes(keyRow(pathOf(call)))) !== undefined,
  on: {
    read: operation({
      input: { version },
      reads: (call) => [call.storage.prefix + keyRow(pathOf(call))],
      handle: (call) => (call.path === 'data' ? Promise.resolve(notOnRoot) : readVersion(call, call.input.version)),
    }),
    // Free: the values are the client's, and "data": null differs from no data.
    update: operation({ input: 'free', reads: rowsOf, handle: write }),
    patch: operation({ input: 'free', reads: rowsOf, handle: patch }),
    delete: operation({ input: 'free', reads: (call) => [call.storage.prefix + keyRow(pathOf(call))], handle: remove }),
  },
}

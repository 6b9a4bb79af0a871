import type { Json, JsonObject } from '../../../lib/json/value.ts'
import { type Call, operation, Refusal, type Reply, type Route } from '../../contracts/request.ts'
import { metadataAnswer } from './answers.ts'
import { changeLimits, limitFields } from './config.ts'
import { notOnRoot } from './invalid-path.ts'
import {
  type CustomMetadata,
  decodeKey,
  encodeKey,
  type KeyChange,
  type KeyState,
  keyRow,
  versionRow,
} from './key-row.ts'
import { listFields, listKeys, scanKeys } from './listing.ts'
import { newKey, setCustom } from './versions.ts'

const pathOf = (call: Pick<Call, 'params'>) => call.params['path'] ?? ''
const rowOf = (call: Pick<Call, 'params' | 'storage'>) => [call.storage.prefix + keyRow(pathOf(call))]

const fields = {
  ...limitFields,
  custom_metadata: { kind: 'stringMap', description: 'Names and values for people and tools; not encrypted data.' },
  metadata_cas_required: { kind: 'bool', description: 'Not supported: must be false.' },
} as const

async function read(call: Call): Promise<Reply> {
  if (pathOf(call) === '') return notOnRoot
  const bytes = await call.storage.getBytes(keyRow(pathOf(call)))
  return bytes ? { kind: 'data', data: metadataAnswer(decodeKey(bytes).state) } : { kind: 'none' }
}

interface Change {
  readonly max_versions?: number
  readonly cas_required?: boolean
  readonly delete_version_after?: string
  readonly metadata_cas_required?: boolean
}

/** Makes the key when it is not there, unless `mustExist`. */
async function change(
  call: Call,
  input: Change,
  custom: (before: CustomMetadata) => CustomMetadata,
  kind: KeyChange,
): Promise<boolean> {
  if (input.metadata_cas_required) throw new Refusal(400, 'metadata_cas_required is not supported by this server')
  return call.transaction(async (tx) => {
    const row = await tx.getBytes(call.storage, keyRow(pathOf(call)))
    if (!row && kind === 'metadata-patch') return false
    const { state, data } = row ? decodeKey(row) : { state: newKey(call.now), data: undefined }
    const changed: KeyState = setCustom(changeLimits(state, input), custom(state.custom))
    const metadataVersion = state.metadataVersion + 1
    const next: KeyState = { ...changed, updatedAt: call.now, metadataVersion, lastChange: kind }
    tx.put(call.storage, keyRow(pathOf(call)), encodeKey(next, data))
    return true
  })
}

async function patch(call: Call): Promise<Reply> {
  if (pathOf(call) === '') return notOnRoot
  const { custom_metadata: given, ...rest } = call.input
  const names = new Set(Object.keys(rest))
  for (const name of names)
    if (!Object.hasOwn(fields, name)) call.warn(`Endpoint ignored these unrecognized parameters: [${name}]`)
  const done = await change(
    call,
    {
      max_versions: typed(rest, 'max_versions', 'number'),
      cas_required: typed(rest, 'cas_required', 'boolean'),
      delete_version_after: typed(rest, 'delete_version_after', 'string'),
      metadata_cas_required: typed(rest, 'metadata_cas_required', 'boolean'),
    },
    (before) => checkCustom(mergeCustom(before, given)),
    'metadata-patch',
  )
  return done ? { kind: 'none' } : { kind: 'none', status: 404 }
}

interface Types {
  readonly number: number
  readonly boolean: boolean
  readonly string: string
}
function typed<K extends keyof Types>(input: JsonObject, name: string, type: K): Types[K] | undefined {
  const value = input[name]
  if (value === undefined || value === null) return undefined
  if (typeof value !== type) throw new Refusal(400, `${name} must be a ${type}`)
  return value as Types[K]
}

/** Merge patch: null removes. */
function mergeCustom(before: CustomMetadata, given: Json | undefined): CustomMetadata {
  if (given === undefined) return before
  if (given === null) return null
  if (typeof given !== 'object' || Array.isArray(given)) throw new Refusal(400, 'custom_metadata must be an object')
  const merged: Record<string, string> = { ...before }
  for (const [name, value] of Object.entries(given)) {
    if (value === null) delete merged[name]
    else if (typeof value === 'string') merged[name] = value
    else throw new Refusal(400, 'custom_metadata validation failed: values must be strings')
  }
  return merged
}

function checkCustom(custom: CustomMetadata): CustomMetadata {
  const fail = (why: string): never => {
    throw new Refusal(400, `custom_metadata validation failed: ${why}`)
  }
  const entries = Object.entries(custom ?? {})
  if (entries.length > 64) fail(`payload must contain at most 64 keys, provided ${entries.length}`)
  for (const [name, value] of entries) {
    const [nameBytes, valueBytes] = [Buffer.byteLength(name), Buffer.byteLength(value)]
    if (nameBytes === 0) fail('keys must not be empty')
    if (nameBytes > 128) fail(`length of key is ${nameBytes} but max length is 128`)
    if (valueBytes > 512) fail(`length of value for key ${JSON.stringify(name)} is ${valueBytes} but max length is 512`)
  }
  return custom
}

/** Removes the key and all versions; rows beyond one commit's size were unreachable once the key's row is gone. */
async function remove(call: Call): Promise<Reply> {
  const path = pathOf(call)
  if (path === '') return notOnRoot
  const left = await call.transaction(async (tx) => {
    const row = await tx.getBytes(call.storage, keyRow(path))
    if (!row) return []
    tx.remove(call.storage, keyRow(path))
    const versions = decodeKey(row).state.older.map((v) => v.version)
    for (const version of versions.slice(0, perCommit)) tx.remove(call.storage, versionRow(path, version))
    return versions.slice(perCommit)
  })
  for (let from = 0; from < left.length; from += perCommit) {
    await call.storage.transaction(async (tx) => {
      // Someone may have written the key anew: then its version rows are theirs.
      if (await tx.getBytes(call.storage, keyRow(path))) return
      for (const version of left.slice(from, from + perCommit)) tx.remove(call.storage, versionRow(path, version))
    })
  }
  return { kind: 'none' }
}
const perCommit = 200

export const metadataRoute: Route = {
  path: 'metadata/{path...?}',
  summary: 'List keys; read, write and delete what is known about one.',
  exists: async (call) => (await call.storage.getBytes(keyRow(pathOf(call)))) !== undefined,
  on: {
    list: operation({ input: listFields, handle: (call) => listKeys(call, pathOf(call)) }),
    scan: operation({ input: listFields, handle: (call) => scanKeys(call, pathOf(call)) }),
    read: operation({ input: {}, reads: rowOf, handle: read }),
    update: operation({
      input: fields,
      reads: rowOf,
      async handle(call) {
        if (pathOf(call) === '') return notOnRoot
        const { custom_metadata: given, ...rest } = call.input
        await change(call, rest, (before) => (given === undefined ? before : checkCustom(given)), 'metadata-write')
        return { kind: 'none' }
      },
    }),
    patch: operation({ input: 'free', reads: rowOf, handle: patch }),
    delete: operation({ input: 'free', reads: rowOf, handle: remove }),
  },
}

import { parseGoBool } from '../../../lib/go-bool.ts'
import { isJsonObject, type Json, JsonNumber, type JsonObject } from '../../../lib/json/value.ts'
import { type Call, operation, Refusal, type Reply, type Route } from '../../contracts/request.ts'
import { changeLimits, type LimitChange, limitFields, readLimits } from './config.ts'
import { notOnRoot } from './invalid-path.ts'
import { metadataAnswer } from './keys/answers.ts'
import { checkCustom } from './keys/custom-metadata.ts'
import { type CustomMetadata, encodeKey, type KeyChange, type KeyState, keyRow } from './keys/key-row.ts'
import { removeKey } from './keys/remove-key.ts'
import { findKey, readKey } from './keys/stored-key.ts'
import { newKey, setCustom } from './keys/versions.ts'
import { listFields, listKeys, scanKeys } from './listing.ts'

const pathOf = (call: Pick<Call, 'params'>) => call.params['path'] ?? ''
const rowOf = (call: Pick<Call, 'params' | 'storage'>) => [call.storage.prefix + keyRow(pathOf(call))]

const fields = {
  ...limitFields,
  custom_metadata: { kind: 'stringMap', description: 'Names and values for people and tools; not encrypted data.' },
  metadata_cas: {
    kind: 'int',
    description: 'The current_metadata_version that this write replaces; 0: there is no metadata yet.',
  },
} as const

async function read(call: Call): Promise<Reply> {
  if (pathOf(call) === '') return notOnRoot
  const key = await findKey(call.storage, pathOf(call))
  return key ? { kind: 'data', data: metadataAnswer(key.state) } : { kind: 'none' }
}

interface Change extends LimitChange {
  readonly metadata_cas?: number | undefined
}

/** Makes the key when it is not there, unless it is a patch. Undefined: there is no such key; else the settings that count for nothing. */
async function change(
  call: Call,
  input: Change,
  custom: (before: CustomMetadata) => CustomMetadata,
  kind: KeyChange,
): Promise<readonly string[] | undefined> {
  const path = pathOf(call)
  return call.transaction(async (tx) => {
    const known = await readKey(tx, call.storage, path)
    if (!known && kind === 'metadata-patch') return undefined
    const { state, data } = known ?? { state: newKey(call.now), data: undefined }
    const mount = await readLimits(tx, call.storage)
    checkMetadataCas(input.metadata_cas, known?.state, mount.metadataCasRequired)
    const changed: KeyState = setCustom(changeLimits(state, input), custom(state.custom))
    const metadataVersion = state.metadataVersion + 1
    const next: KeyState = { ...changed, updatedAt: call.now, metadataVersion, lastChange: kind }
    tx.put(call.storage, keyRow(path), encodeKey(next, data))
    const ignored = [
      ...(mount.casRequired && input.cas_required === false ? ['cas_required'] : []),
      ...(mount.metadataCasRequired && input.metadata_cas_required === false ? ['metadata_cas_required'] : []),
    ]
    return ignored
  })
}

function warnIgnored(call: Pick<Call, 'warn'>, names: readonly string[]): void {
  for (const name of names)
    call.warn(`"${name}" set to false, but is mandated by backend config. This value will be ignored.`)
}

function checkMetadataCas(cas: number | undefined, known: KeyState | undefined, required: boolean): void {
  if (cas === undefined) {
    if (required || known?.metadataCasRequired)
      throw new Refusal(400, 'metadata check-and-set parameter required for this call')
  } else if (!known) {
    if (cas !== 0) throw new Refusal(400, 'metadata_cas must be 0 when creating new metadata')
  } else if (cas !== known.metadataVersion) {
    throw new Refusal(400, 'metadata check-and-set parameter does not match the current version')
  }
}

async function patch(call: Call): Promise<Reply> {
  if (pathOf(call) === '') return notOnRoot
  const { custom_metadata: given, ...rest } = call.input
  const unknown = Object.keys(rest).filter((name) => !Object.hasOwn(fields, name))
  if (unknown.length > 0) call.warn(`Endpoint ignored these unrecognized parameters: [${unknown.sort().join(' ')}]`)
  const ignored = await change(
    call,
    {
      max_versions: number(rest, 'max_versions'),
      cas_required: boolean(rest, 'cas_required'),
      delete_version_after: text(rest, 'delete_version_after'),
      metadata_cas_required: boolean(rest, 'metadata_cas_required'),
      metadata_cas: number(rest, 'metadata_cas'),
    },
    (before) => checkCustom(mergeCustom(before, given)),
    'metadata-patch',
  )
  if (!ignored) return { kind: 'none', status: 404 }
  warnIgnored(call, ignored)
  return { kind: 'none' }
}

/** Merge patch: null is the setting's zero. Numbers and booleans may come as strings. */
function number(input: JsonObject, name: string): number | undefined {
  const value = input[name]
  if (value === undefined) return undefined
  if (value === null) return 0
  const found = typeof value === 'string' || value instanceof JsonNumber ? Number(String(value) || 'x') : value
  if (typeof found !== 'number' || !Number.isInteger(found)) throw new Refusal(400, `${name} must be a whole number`)
  return found
}

function boolean(input: JsonObject, name: string): boolean | undefined {
  const value = input[name]
  if (value === undefined) return undefined
  if (value === null) return false
  const found = typeof value === 'string' ? parseGoBool(value) : value
  if (typeof found !== 'boolean') throw new Refusal(400, `${name} must be true or false`)
  return found
}

function text(input: JsonObject, name: string): string | undefined {
  const value = input[name]
  if (value === undefined) return undefined
  if (value === null) return '0'
  if (typeof value === 'string' || typeof value === 'number' || value instanceof JsonNumber) return String(value)
  throw new Refusal(400, `${name} must be a duration such as "3h25m19s"`)
}

/** Merge patch: null removes. */
function mergeCustom(before: CustomMetadata, given: Json | undefined): CustomMetadata {
  if (given === undefined) return before
  if (given === null) return null
  if (!isJsonObject(given)) throw new Refusal(400, 'custom_metadata must be an object')
  const merged = new Map(Object.entries(before ?? {}))
  for (const [name, value] of Object.entries(given)) {
    if (value === null) merged.delete(name)
    else if (typeof value === 'string') merged.set(name, value)
    else throw new Refusal(400, 'custom_metadata validation failed: values must be strings')
  }
  return Object.fromEntries(merged)
}

async function remove(call: Call): Promise<Reply> {
  if (pathOf(call) === '') return notOnRoot
  await removeKey(call.storage, pathOf(call), call.signal)
  return { kind: 'none' }
}

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
        const custom = (before: CustomMetadata) => (given === undefined ? before : checkCustom(given))
        warnIgnored(call, (await change(call, rest, custom, 'metadata-write')) ?? [])
        return { kind: 'none' }
      },
    }),
    patch: operation({ input: 'free', reads: rowOf, handle: patch }),
    delete: operation({ input: 'free', reads: rowOf, handle: remove }),
  },
}

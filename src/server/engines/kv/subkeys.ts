import { parseJson } from '../../../lib/json/parse.ts'
import { isJsonObject, type Json, type JsonObject } from '../../../lib/json/value.ts'
import { trusted } from '../../../lib/json/walk.ts'
import { type Call, operation, type Reply, type Route } from '../../contracts/request.ts'
import { versionAnswer } from './keys/answers.ts'
import { keyRow, versionRow } from './keys/key-row.ts'
import { findKey } from './keys/stored-key.ts'
import { findVersion, isGone } from './keys/versions.ts'

const pathOf = (call: Pick<Call, 'params'>) => call.params['path'] ?? ''

const fields = {
  version: { kind: 'int', description: 'Which version to read. 0 or absent: the latest.', default: 0 },
  depth: { kind: 'int', description: 'How many levels of keys are shown. 0 or absent: all.', default: 0 },
} as const

export const subkeysRoute: Route = {
  path: 'subkeys/{path...?}',
  summary: 'The names within a value, without the values.',
  on: {
    read: operation({
      input: fields,
      reads: (call) => [call.storage.prefix + keyRow(pathOf(call))],
      handle: (call) => read(call, pathOf(call), Math.max(0, call.input.version), call.input.depth),
    }),
  },
}

async function read(call: Pick<Call, 'storage' | 'now'>, path: string, wanted: number, depth: number): Promise<Reply> {
  const key = path === '' ? undefined : await findKey(call.storage, path)
  const version = key && findVersion(key.state, wanted)
  if (!key || !version) return { kind: 'none' }
  const metadata = versionAnswer(version, key.state.custom)
  if (isGone(version, call.now)) return { kind: 'data', status: 404, data: { metadata, subkeys: null } }
  const latest = version.version === key.state.current.version
  const bytes = latest ? key.data : await call.storage.getBytes(versionRow(path, version.version))
  const data = bytes ? parseJson(bytes, trusted) : null
  return { kind: 'data', data: { metadata, subkeys: isJsonObject(data) ? namesWithin(data, depth, 1) : null } }
}

/** Lists, empty objects and whatever lies deeper than `depth` count as values. */
function namesWithin(value: JsonObject, depth: number, level: number): JsonObject {
  // No prototype: "__proto__" is a name like any other.
  const names: Record<string, Json> = Object.create(null)
  for (const name of Object.keys(value)) {
    const member = value[name]
    const inner = (depth === 0 || level < depth) && isJsonObject(member) && Object.keys(member).length > 0
    names[name] = inner ? namesWithin(member, depth, level + 1) : null
  }
  return names
}

import type { JsonObject } from '../../../../lib/json/value.ts'
import type { RandomBytes } from '../../../../lib/random.ts'
import type { InputOf } from '../../../contracts/fields.ts'
import { type Call, operation, Refusal, type Reply, type Route } from '../../../contracts/request.ts'
import type { SecretStorage } from '../../../contracts/secret-storage.ts'
import { goTime } from '../keys/answers.ts'
import { findKey } from '../keys/stored-key.ts'
import { folder } from '../listing.ts'
import { cursorAt, keysBelow, Reader } from './walk.ts'

const fields = {
  path: {
    kind: 'string',
    description: 'Text that the path contains; with * it is a pattern of the whole path. Absent: every path.',
    default: '',
  },
  folder: { kind: 'string', description: 'Only below this folder.', default: '' },
  custom_metadata: {
    kind: 'stringMap',
    description: 'Names that the custom metadata has, with their values; * stands for any text. All must match.',
  },
  after: { kind: 'string', description: 'Continue there: the "next" of the answer before.', default: '' },
  limit: { kind: 'int', description: 'At most this many keys, up to 1000.', default: 100 },
} as const
type SearchCall = Call<InputOf<typeof fields>>

/** What one request may cost: names looked at, and rows decrypted. */
const most = { keys: 1000, names: 10_000, rows: 1000 }

/** Answers what matches among what the caller may know of; `next` is '' at the end, else there may be more. */
async function search(call: SearchCall, random: RandomBytes): Promise<Reply> {
  const { input, storage, signal } = call
  if (input.limit < 1 || input.limit > most.keys) throw new Refusal(400, `limit must be between 1 and ${most.keys}`)
  const matches = pathTest(input.path)
  const wanted: Wanted = Object.entries(input.custom_metadata ?? {}).map(
    ([name, value]) => [name, glob(value)] as const,
  )
  const reader = new Reader(call)
  const keys: string[] = []
  const info: [string, JsonObject][] = []
  let [names, rows, last] = [0, 0, '']
  for await (const path of keysBelow(storage, folder(input.folder), input.after, signal)) {
    if (keys.length >= input.limit || names >= most.names || rows >= most.rows)
      return found(keys, info, await cursorAt(storage, random, reader, last))
    names += 1
    last = path
    if (!matches(path) || !reader.mayFind(path)) continue
    rows += 1
    const details = await detailsOf(storage, path, reader.mayRead(path), wanted)
    if (!details) continue
    keys.push(path)
    info.push([path, details])
  }
  return found(keys, info, '')
}

function found(keys: readonly string[], info: readonly (readonly [string, JsonObject])[], next: string): Reply {
  return { kind: 'data', data: { keys, key_info: Object.fromEntries(info), next } }
}

type Wanted = readonly (readonly [name: string, test: (value: string | undefined) => boolean])[]

/** What the answer says about a key that may be found; undefined when it is not among the wanted ones. */
async function detailsOf(
  storage: SecretStorage,
  path: string,
  readable: boolean,
  wanted: Wanted,
): Promise<JsonObject | undefined> {
  if (!readable) return wanted.length > 0 ? undefined : {}
  const state = (await findKey(storage, path))?.state
  if (!state) return undefined
  const { custom } = state
  const matching = wanted.every(([name, test]) =>
    test(custom && Object.hasOwn(custom, name) ? custom[name] : undefined),
  )
  if (!matching) return undefined
  return { current_version: state.current.version, custom_metadata: custom, updated_time: goTime(state.updatedAt) }
}

function pathTest(text: string): (path: string) => boolean {
  return text.includes('*') ? glob(text) : (path) => path.includes(text)
}

/** Parts in their order, without backtracking: no pattern of a client's costs more than reading the text once per part. */
export function glob(pattern: string): (text: string | undefined) => boolean {
  const [head = '', ...rest] = pattern.split('*')
  const tail = rest.pop()
  if (tail === undefined) return (text) => text === pattern
  return (text) => {
    if (text === undefined || !text.startsWith(head) || text.length < head.length + tail.length) return false
    const end = text.length - tail.length
    let at = head.length
    for (const part of rest) {
      const next = text.indexOf(part, at)
      if (next < 0 || next + part.length > end) return false
      at = next + part.length
    }
    return text.endsWith(tail)
  }
}

export function searchRoute(random: RandomBytes): Route {
  const handle = (call: SearchCall) => search(call, random)
  return {
    path: 'coffer/search',
    summary: 'Find keys by path and custom metadata, among those that the caller may list or read.',
    on: {
      read: operation({ input: fields, handle }),
      // The same with a body; nothing is written.
      update: operation({ input: fields, effect: 'none', handle }),
    },
  }
}

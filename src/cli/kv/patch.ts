import type { Json, JsonObject } from '../../lib/json/value.ts'
import type { Envelope } from '../../sdk/envelope.ts'
import { ResponseError } from '../../sdk/response-error.ts'
import { type Command, type CommandCall, Failure, failing } from '../command.ts'
import { readKeyValues } from '../input/key-values.ts'
import { warn } from '../output/secret.ts'
import { connectionFlags, fieldFlag, formatFlag } from '../session.ts'
import { dataOf, readVersion } from './current.ts'
import { apiPath, locate, mountFlag } from './location.ts'
import { printWritten } from './written.ts'

export const kvPatch: Command = {
  name: 'kv patch',
  summary: 'Change some keys of a secret and leave the others',
  args: '[options] PATH [KEY=VALUE...]',
  about:
    'Values come as with kv put. A token without the "patch" capability reads, changes and writes instead (-method=rw), which fails ' +
    'when somebody writes in between.',
  examples: [
    { says: 'One key, its value from stdin', run: 'kv patch -mount=secret my-app/config password=-' },
    { says: 'Remove a key', run: 'kv patch -mount=secret -remove-data=old my-app/config' },
  ],
  flags: {
    ...connectionFlags,
    ...formatFlag,
    ...fieldFlag,
    ...mountFlag,
    cas: { kind: 'int', about: 'Only if this is the current version.' },
    method: { kind: 'text', about: 'patch: only by HTTP PATCH; rw: by reading and writing.' },
    'remove-data': { kind: 'list', about: 'A key to remove; may be repeated.' },
  },
  takes: { min: 1 },
  run: async (call) => {
    const [path = '', ...pairs] = call.args
    const removed = call.flags.list('remove-data')
    if (pairs.length === 0 && removed.length === 0) throw new Failure(1, 'Must supply data')
    const method = call.flags.text('method') ?? ''
    if (method !== '' && method !== 'rw' && method !== 'patch') {
      throw new Failure(2, `Unsupported method provided to -method flag: ${method}`)
    }
    const given = await readKeyValues(pairs, call.context.stdin)
    const change = members([...Object.entries(given), ...removed.map((key) => [key, null] as const)])
    const location = await failing('', locate(call, path))
    if (!location.versioned) throw new Failure(2, 'K/V engine mount must be version 2 for patch support')
    const full = apiPath(location, 'data')
    const patched = method === 'rw' ? undefined : await mergePatch(call, full, change, method === '')
    const answer = patched === undefined ? await readThenWrite(call, full, change) : patched.answer
    return printWritten(call, answer, full)
  },
}

/** Undefined: the server or the policy knows no PATCH, and `fallBack` was asked for. */
async function mergePatch(
  call: CommandCall,
  full: string,
  data: JsonObject,
  fallBack: boolean,
): Promise<{ readonly answer: Envelope | undefined } | undefined> {
  const cas = call.flags.int('cas') ?? 0
  const body = { data, options: cas > 0 ? { cas } : {} }
  try {
    return { answer: await call.session.client().patch(full, body, call.session.callOptions()) }
  } catch (error) {
    if (!(error instanceof ResponseError)) return failing(`Error writing data to ${full}`, Promise.reject(error))
    if (error.status === 404) throw new Failure(2, `No value found at ${full}`, { cause: error })
    if (!fallBack || (error.status !== 403 && error.status !== 405)) {
      return failing(`Error writing data to ${full}`, Promise.reject(error))
    }
    if (error.status === 403) {
      warn(
        call,
        `Trying to read and write ${full} instead: the "patch" capability in the policy would let this be one HTTP PATCH.`,
      )
    }
    return undefined
  }
}

async function readThenWrite(call: CommandCall, full: string, change: JsonObject): Promise<Envelope | undefined> {
  const current = await readVersion(call, full, 'patch')
  const before = dataOf(current, full, 'patch')
  const wanted = call.flags.int('cas') ?? 0
  const merged = Object.entries({ ...before, ...change }).filter(([key]) => change[key] !== null)
  const body = { data: members(merged), options: { cas: wanted > 0 ? wanted : (current.metadata['version'] ?? 0) } }
  const written = call.session.client().write(full, body, call.session.callOptions())
  return failing(`Error writing data to ${full}`, written)
}

/** No prototype: "__proto__" is a key like any other. */
function members(entries: Iterable<readonly [string, Json | undefined]>): JsonObject {
  return Object.assign(Object.create(null), Object.fromEntries(entries))
}

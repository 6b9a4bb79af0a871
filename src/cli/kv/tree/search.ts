import type { Json } from '../../../lib/json/value.ts'
import { isObject, text, texts } from '../../../sdk/envelope.ts'
import { type Command, type CommandCall, Failure, failing } from '../../command.ts'
import { line, printDocument, warn } from '../../output/secret.ts'
import { tableOf } from '../../output/table.ts'
import { connectionFlags, formatFlag } from '../../session.ts'
import { type KvLocation, locateVersioned, mountFlag } from '../location.ts'
import { row } from '../metadata/list.ts'

export const kvSearch: Command = {
  name: 'kv search',
  summary: 'Find secrets by path and custom metadata',
  args: '[options] [PATH]',
  about:
    'PATH is an engine or a folder. Found is what the token may list or read; custom metadata only where it may read.',
  examples: [
    { says: 'Whose path contains "db"', run: 'kv search -mount=secret -name=db' },
    { says: 'By a pattern of the whole path', run: "kv search -mount=secret -name='team/*/password'" },
    { says: 'What belongs to team-a', run: 'kv search -custom-metadata=owner=team-a secret/' },
  ],
  flags: {
    ...connectionFlags,
    ...formatFlag,
    ...mountFlag,
    name: { kind: 'text', about: 'Text in the path; with * a pattern of the whole path.' },
    'custom-metadata': { kind: 'map', about: 'name=value, * for any text; may be repeated, all must match.' },
    limit: { kind: 'int', about: 'Stop after this many. Default: all.' },
  },
  takes: { min: 0, max: 1 },
  run: async (call) => {
    if (call.args.length === 0 && !call.flags.has('mount')) {
      throw new Failure(1, 'Where? Give the path of a KV engine or of a folder in one, or -mount')
    }
    const location = await locateVersioned(call, call.args[0] ?? '', 'Searching is not supported on KV Version 1')
    const limit = call.flags.int('limit') ?? Number.POSITIVE_INFINITY
    if (limit < 1) throw new Failure(1, 'invalid value for flag -limit: want 1 or more')
    const found = await searchAll(call, location, limit)
    if (call.session.format() !== 'table') printDocument(call, Object.fromEntries(found))
    else if (found.length === 0) warn(call, `No value found below ${location.mountPath}${location.name}`)
    else
      line(
        call,
        tableOf([['Key', 'Version', 'Updated', 'Custom metadata'], ...found.map(([key, info]) => row(key, info))]),
      )
    return found.length > 0 ? 0 : 2
  },
}

async function searchAll(
  call: CommandCall,
  { mountPath, name }: KvLocation,
  limit: number,
): Promise<readonly (readonly [string, Json])[]> {
  const full = `${mountPath}coffer/search`
  const custom = call.flags.map('custom-metadata')
  const query = {
    path: call.flags.text('name') ?? '',
    folder: name,
    ...(Object.keys(custom).length > 0 && { custom_metadata: Object.entries(custom).map((pair) => pair.join('=')) }),
  }
  const found: (readonly [string, Json])[] = []
  let after = ''
  do {
    const page = { ...query, limit: Math.min(1000, limit - found.length), after }
    const data = (await failing(`Error reading ${full}`, call.session.read(full, page)))?.data ?? {}
    const info = isObject(data['key_info']) ? data['key_info'] : {}
    for (const key of Array.isArray(data['keys']) ? texts(data['keys']) : []) found.push([key, info[key] ?? {}])
    after = text(data['next'])
  } while (after !== '' && found.length < limit)
  return found
}

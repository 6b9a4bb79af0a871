import { type Command, Failure, failing } from '../command.ts'
import { readKeyValues } from '../input/key-values.ts'
import { connectionFlags, fieldFlag, formatFlag } from '../session.ts'
import { apiPath, locate, mountFlag } from './location.ts'
import { printWritten } from './written.ts'

export const kvPut: Command = {
  name: 'kv put',
  summary: 'Write a secret, replacing all its keys',
  args: '[options] PATH [KEY=VALUE...]',
  about:
    'A value that begins with @ is read from that file, the value - from stdin; a lone - or @file is a whole JSON object. ' +
    'Others on this machine can see the arguments of a process: give secrets by - or @file.',
  examples: [
    { says: 'From a JSON file', run: 'kv put -mount=secret my-app/config @config.json' },
    { says: 'One value from stdin', run: 'kv put -mount=secret my-app/config config=-' },
    { says: 'Only if it does not exist', run: 'kv put -mount=secret -cas=0 my-app/config @config.json' },
  ],
  flags: {
    ...connectionFlags,
    ...formatFlag,
    ...fieldFlag,
    ...mountFlag,
    cas: { kind: 'int', about: 'Only if this is the current version; 0: only if there is none.' },
  },
  takes: { min: 1 },
  run: async (call) => {
    const [path = '', ...pairs] = call.args
    if (pairs.length === 0) throw new Failure(1, 'Must supply data')
    const data = await readKeyValues(pairs, call.context.stdin)
    const location = await failing('', locate(call, path))
    const full = apiPath(location, 'data')
    const cas = call.flags.int('cas')
    // -1 is how scripts say "no check".
    const options = cas !== undefined && cas >= 0 ? { cas } : {}
    const body = location.versioned ? { data, options } : data
    const written = call.session.client().write(full, body, call.session.callOptions())
    return printWritten(call, await failing(`Error writing data to ${full}`, written), full)
  },
}

import { type Command, failing } from '../command.ts'
import { connectionFlags, formatFlag } from '../session.ts'
import { apiPath, locate, mountFlag } from './location.ts'
import { deleteTree } from './tree/delete-tree.ts'
import { treeFlags } from './tree/tree-call.ts'
import { printDone } from './written.ts'

export const kvDelete: Command = {
  name: 'kv delete',
  summary: 'Delete the latest version, or given ones, or those of a folder; they can be undeleted',
  args: '[options] PATH',
  examples: [
    { says: 'The latest version', run: 'kv delete -mount=secret my-app/config' },
    { says: 'Versions 1 and 2', run: 'kv delete -mount=secret -versions=1,2 my-app/config' },
    { says: 'What would go below a folder?', run: 'kv delete -mount=secret -recursive -dry-run my-app' },
  ],
  flags: {
    ...connectionFlags,
    ...formatFlag,
    ...mountFlag,
    versions: { kind: 'list', about: 'These versions: 1,2 or repeated.' },
    ...treeFlags,
  },
  takes: { min: 1, max: 1 },
  run: async (call) => {
    const location = await failing('', locate(call, call.args[0] ?? ''))
    if (call.flags.on('recursive')) return deleteTree(call, location, false)
    const versions = call.flags.list('versions').flatMap((given) => given.split(','))
    const some = location.versioned && versions.length > 0
    const full = apiPath(location, some ? 'delete' : 'data')
    const client = call.session.client()
    const gone = some
      ? client.write(full, { versions }, call.session.callOptions())
      : client.delete(full, undefined, call.session.callOptions())
    const answer = await failing(`Error deleting ${full}`, gone)
    return printDone(call, answer, `Success! Data deleted (if it existed) at: ${full}`)
  },
}

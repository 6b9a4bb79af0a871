import { type Command, failing } from '../../command.ts'
import { connectionFlags, formatFlag } from '../../session.ts'
import { apiPath, locateVersioned, mountFlag } from '../location.ts'
import { deleteTree } from '../tree/delete-tree.ts'
import { treeFlags } from '../tree/tree-call.ts'
import { printDone } from '../written.ts'
import { notVersioned } from './settings.ts'

export const kvMetadataDelete: Command = {
  name: 'kv metadata delete',
  summary: 'Remove all versions and metadata of a key, or of a folder, for good',
  args: '[options] PATH',
  examples: [
    { says: 'One key', run: 'kv metadata delete -mount=secret my-app/config' },
    { says: 'What would go below a folder?', run: 'kv metadata delete -mount=secret -recursive -dry-run my-app' },
  ],
  flags: { ...connectionFlags, ...formatFlag, ...mountFlag, ...treeFlags },
  takes: { min: 1, max: 1 },
  run: async (call) => {
    const location = await locateVersioned(call, call.args[0] ?? '', notVersioned)
    if (call.flags.on('recursive')) return deleteTree(call, location, true)
    const full = apiPath(location, 'metadata')
    const gone = call.session.client().delete(full, undefined, call.session.callOptions())
    const words = `Success! Data deleted (if it existed) at: ${full}`
    return printDone(call, await failing(`Error deleting ${full}`, gone), words)
  },
}

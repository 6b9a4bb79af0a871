import { type Command, failing } from '../../command.ts'
import { connectionFlags, formatFlag } from '../../session.ts'
import { apiPath, locateVersioned, mountFlag } from '../location.ts'
import { printDone } from '../written.ts'
import { notVersioned, settingFlags, settingsOf } from './settings.ts'

export const kvMetadataPatch: Command = {
  name: 'kv metadata patch',
  summary: 'Change some limits or custom metadata of a key and leave the others',
  args: '[options] PATH',
  examples: [
    { says: 'One name', run: 'kv metadata patch -mount=secret -custom-metadata=owner=team-b my-app/config' },
    { says: 'Without a name', run: 'kv metadata patch -mount=secret -remove-custom-metadata=owner my-app/config' },
  ],
  flags: {
    ...connectionFlags,
    ...formatFlag,
    ...mountFlag,
    ...settingFlags,
    'remove-custom-metadata': { kind: 'list', about: 'A name of custom metadata to remove; may be repeated.' },
  },
  takes: { min: 1, max: 1 },
  run: async (call) => {
    const full = apiPath(await locateVersioned(call, call.args[0] ?? '', notVersioned), 'metadata')
    const removed = Object.fromEntries(call.flags.list('remove-custom-metadata').map((name) => [name, null]))
    const settings = settingsOf(call)
    const custom = { ...call.flags.map('custom-metadata'), ...removed }
    const change = Object.keys(custom).length > 0 ? { ...settings, custom_metadata: custom } : settings
    const patched = call.session.client().patch(full, change, call.session.callOptions())
    return printDone(call, await failing(`Error writing data to ${full}`, patched), `Success! Data written to: ${full}`)
  },
}

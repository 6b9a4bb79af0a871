import { type Command, failing } from '../../command.ts'
import { connectionFlags, formatFlag } from '../../session.ts'
import { apiPath, locateVersioned, mountFlag } from '../location.ts'
import { printDone } from '../written.ts'
import { notVersioned, settingFlags, settingsOf } from './settings.ts'

export const kvMetadataPut: Command = {
  name: 'kv metadata put',
  summary: 'Set the limits of a key and replace its custom metadata',
  args: '[options] PATH',
  examples: [
    { says: 'Keep five versions', run: 'kv metadata put -mount=secret -max-versions=5 my-app/config' },
    { says: 'Say whose it is', run: 'kv metadata put -mount=secret -custom-metadata=owner=team-a my-app/config' },
  ],
  flags: { ...connectionFlags, ...formatFlag, ...mountFlag, ...settingFlags },
  takes: { min: 1, max: 1 },
  run: async (call) => {
    const full = apiPath(await locateVersioned(call, call.args[0] ?? '', notVersioned), 'metadata')
    const written = call.session.client().write(full, settingsOf(call), call.session.callOptions())
    return printDone(call, await failing(`Error writing data to ${full}`, written), `Success! Data written to: ${full}`)
  },
}

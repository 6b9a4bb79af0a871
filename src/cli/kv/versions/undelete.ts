import { type Command, Failure, failing } from '../../command.ts'
import { connectionFlags, formatFlag } from '../../session.ts'
import { apiPath, locateVersioned, mountFlag } from '../location.ts'
import { printDone } from '../written.ts'
import { versionNumbers, versionsFlag } from './numbers.ts'

export const kvUndelete: Command = {
  name: 'kv undelete',
  summary: 'Bring deleted versions back',
  args: '[options] -versions=N[,N...] PATH',
  examples: [{ says: 'Versions 1 and 3', run: 'kv undelete -mount=secret -versions=1,3 my-app/config' }],
  flags: { ...connectionFlags, ...formatFlag, ...mountFlag, ...versionsFlag },
  takes: { min: 1, max: 1 },
  run: async (call) => {
    const versions = versionNumbers(call)
    if (versions.length === 0) {
      throw new Failure(1, 'No versions provided, use the "-versions" flag to specify the version to undelete.')
    }
    const location = await locateVersioned(call, call.args[0] ?? '', 'Undelete not supported on KV Version 1')
    const full = apiPath(location, 'undelete')
    const written = call.session.client().write(full, { versions }, call.session.callOptions())
    return printDone(call, await failing(`Error writing data to ${full}`, written), `Success! Data written to: ${full}`)
  },
}

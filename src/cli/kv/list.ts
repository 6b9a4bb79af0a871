import { type Command, failing } from '../command.ts'
import { printListing } from '../output/listing.ts'
import { connectionFlags, formatFlag } from '../session.ts'
import { apiPath, locate, mountFlag } from './location.ts'

export const kvList: Command = {
  name: 'kv list',
  summary: 'List secrets and folders',
  args: '[options] [PATH]',
  examples: [
    { says: 'What is in the engine at secret/?', run: 'kv list secret/' },
    { says: 'Below a folder', run: 'kv list -mount=secret my-app' },
  ],
  flags: { ...connectionFlags, ...formatFlag, ...mountFlag },
  takes: { min: 0, max: 1 },
  run: async (call) => {
    const location = await failing('', locate(call, call.args[0] ?? ''))
    const full = apiPath(location, 'metadata')
    const listed = call.session.client().list(full, call.session.callOptions())
    return printListing(call, await failing(`Error listing ${full}`, listed), full)
  },
}

import type { Json } from '../../../lib/json/value.ts'
import { isObject, text, texts } from '../../../sdk/envelope.ts'
import { type Command, failing } from '../../command.ts'
import { goValue } from '../../output/go-value.ts'
import { printListing } from '../../output/listing.ts'
import { line, printDocument, printWarnings } from '../../output/secret.ts'
import { tableOf } from '../../output/table.ts'
import { connectionFlags, formatFlag } from '../../session.ts'
import { apiPath, locateVersioned, mountFlag } from '../location.ts'
import { notVersioned } from './settings.ts'

export const kvMetadataList: Command = {
  name: 'kv metadata list',
  summary: 'List keys with their latest version and custom metadata',
  args: '[options] [PATH]',
  examples: [{ says: 'What is below a folder?', run: 'kv metadata list -mount=secret my-app' }],
  flags: { ...connectionFlags, ...formatFlag, ...mountFlag },
  takes: { min: 0, max: 1 },
  run: async (call) => {
    const location = await locateVersioned(call, call.args[0] ?? '', notVersioned)
    const full = apiPath(location, 'detailed-metadata')
    const listed = call.session.client().list(full, call.session.callOptions())
    const answer = await failing(`Error listing ${full}`, listed)
    const info = answer?.data?.['key_info']
    const keys = answer?.data?.['keys']
    if (!answer || !isObject(info) || !Array.isArray(keys)) return printListing(call, answer, full)
    printWarnings(call, answer)
    if (call.session.format() !== 'table') printDocument(call, info)
    else
      line(
        call,
        tableOf([['Key', 'Version', 'Updated', 'Custom metadata'], ...texts(keys).map((key) => row(key, info[key]))]),
      )
    return 0
  },
}

/** A folder has nothing but its name. */
export function row(key: string, info: Json | undefined): readonly string[] {
  if (!isObject(info) || Object.keys(info).length === 0) return [key, '', '', '']
  const { current_version: version, updated_time: updated, custom_metadata: custom } = info
  return [key, goValue(version), text(updated), isObject(custom) ? goValue(custom) : '']
}

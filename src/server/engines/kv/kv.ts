/** Key/value: secrets as their owners wrote them, with versions (v2) or without (v1). */
import type { MountContext, Mounted, MountType } from '../../contracts/mounted.ts'
import { Refusal } from '../../contracts/request.ts'
import { ChangeEvents } from './change-events.ts'
import { configRoute } from './config.ts'
import { dataRoute } from './data.ts'
import { invalidPathRoute } from './invalid-path.ts'
import { metadataRoute } from './metadata.ts'
import { keyValueV1 } from './v1.ts'
import { versionSetRoutes } from './version-sets.ts'

const refuseVersionChange = async (): Promise<void> => {
  throw new Refusal(
    400,
    'this server does not change the version of a KV mount that exists: make a new mount and copy the keys',
  )
}

function keyValueV2(context: MountContext): Mounted {
  const events = new ChangeEvents(context)
  return {
    routes: [dataRoute, metadataRoute, ...versionSetRoutes, configRoute, invalidPathRoute],
    changed: (keys) => {
      // 'reset' reaches subscribers without us.
      if (keys !== 'reset') events.changed(keys)
    },
    close: () => events.settled(),
  }
}

const versionOf = (options: Readonly<Record<string, string>> | null) => options?.['version'] ?? '1'

/** The options of a mount before it was tuned. */
function versionBefore(before: unknown): string {
  const options = typeof before === 'object' && before !== null && 'options' in before ? before.options : undefined
  const version = typeof options === 'object' && options !== null && 'version' in options ? options.version : undefined
  return typeof version === 'string' ? version : '1'
}

export const kv: MountType = {
  type: 'kv',
  class: 'secret',
  version: 'v0.25.0+builtin',
  options(given) {
    const version = versionOf(given)
    if (version !== '1' && version !== '2')
      throw new Refusal(400, `invalid KV version ${JSON.stringify(version)}: it is "1" or "2"`)
    return given
  },
  create(context) {
    const version = versionOf(context.mount.options)
    const mounted = version === '2' ? keyValueV2(context) : keyValueV1
    return {
      ...mounted,
      tuned: (_, before) => (versionBefore(before) === version ? Promise.resolve() : refuseVersionChange()),
    }
  },
}

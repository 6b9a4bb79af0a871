/** Key/value: secrets as their owners wrote them, with versions (v2) or without (v1). */
import type { MountContext, Mounted, MountType } from '../../contracts/mounted.ts'
import { operation, Refusal, type Route } from '../../contracts/request.ts'
import type { Tx } from '../../contracts/secret-storage.ts'
import { ChangeEvents } from './change-events.ts'
import { configRoute, readLimits, writeLimits } from './config.ts'
import { dataRoute } from './data.ts'
import { invalidPathRoute } from './invalid-path.ts'
import { sweepAll } from './keys/sweep.ts'
import { listDetails, listFields } from './listing.ts'
import { metadataRoute } from './metadata.ts'
import { subkeysRoute } from './subkeys.ts'
import { treeDeleteRoute } from './tree/delete.ts'
import { moveRoute } from './tree/move.ts'
import { searchRoute } from './tree/search.ts'
import { keyValueV1 } from './v1.ts'
import { versionSetRoutes } from './version-sets.ts'

const detailsRoute: Route = {
  path: 'detailed-metadata/{path...?}',
  summary: 'List keys with what is known about each.',
  on: {
    list: operation({
      input: listFields,
      handle: (call) => listDetails(call, call.params['path'] ?? '', 'list'),
    }),
    scan: operation({
      input: listFields,
      handle: (call) => listDetails(call, call.params['path'] ?? '', 'scan'),
    }),
  },
}

function keyValueV2(context: MountContext): Mounted {
  const { storage, clock, random } = context
  return {
    routes: [
      dataRoute,
      metadataRoute,
      detailsRoute,
      subkeysRoute,
      ...versionSetRoutes,
      configRoute,
      searchRoute(random),
      moveRoute(random),
      treeDeleteRoute(random),
      invalidPathRoute,
    ],
    tick: (_, signal) => sweepAll(storage, clock.now(), signal),
  }
}

const versionOf = (options: Readonly<Record<string, string>> | null) => options?.['version'] ?? '1'

/** The options of a mount before it was tuned. */
function versionBefore(before: unknown): string {
  const options = typeof before === 'object' && before !== null && 'options' in before ? before.options : undefined
  const version = typeof options === 'object' && options !== null && 'version' in options ? options.version : undefined
  return typeof version === 'string' ? version : '1'
}

/**
 * From version 1 to 2 in the one commit that tunes the mount, however many keys it has: rows of version 1 are read as the first
 * version of their key (keys/stored-key.ts) until someone writes them.
 */
async function changeVersion(tx: Tx, context: MountContext, before: string, version: string): Promise<void> {
  if (before === version) return
  if (before !== '1' || version !== '2') throw new Refusal(400, `cannot downgrade mount from version ${before}`)
  const settings = await readLimits(tx, context.storage)
  writeLimits(tx, context.storage, { ...settings, upgradedAt: context.clock.now() })
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
    const events = new ChangeEvents(context, version === '2' ? 2 : 1)
    return {
      ...mounted,
      changed: (keys) => {
        // 'reset' reaches subscribers without us.
        if (keys !== 'reset') events.changed(keys)
      },
      close: () => events.settled(),
      tuned: (tx, before) => changeVersion(tx, context, versionBefore(before), version),
    }
  },
}

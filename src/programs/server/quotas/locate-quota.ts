import type { NamespaceInfo } from '../../../server/contracts/epochs.ts'
import type { LocateQuota } from '../../../server/faces/sys/quotas/scope.ts'
import type { MountTable } from '../../../server/mounts/mount-table.ts'
import type { NamespaceTable } from '../../../server/namespaces/namespace-table.ts'

/** Where the path of a quota leads: into a namespace, and to a mount there. */
export function locateQuota({
  namespaces,
  nounsOf,
}: {
  readonly namespaces: NamespaceTable
  readonly nounsOf: (info: NamespaceInfo) => { readonly mounts: MountTable }
}): LocateQuota {
  return async (path) => {
    const { namespace, rest } = (await namespaces.load()).locate(path)
    const found = rest === '' ? undefined : (await nounsOf(namespace).mounts.load()).route(rest)
    const place = { namespacePath: namespace.path, rest }
    if (!found) return place
    const { path: mountPath, class: mountClass } = found.info
    const isAuth = mountClass === 'auth'
    return { ...place, mount: { path: mountPath, isAuth, namesRoles: isAuth && 'identify' in found.engine } }
  }
}

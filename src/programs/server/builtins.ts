/** What each namespace has without anyone mounting it: sys/, identity/, cubbyhole/, auth/token/. */
import { createHash } from 'node:crypto'
import { tmpdir } from 'node:os'
import { type NamespaceInfo, rootNamespace } from '../../server/contracts/epochs.ts'
import type { MountInfo } from '../../server/contracts/request.ts'
import { cubbyhole } from '../../server/engines/cubbyhole/cubbyhole.ts'
import { createIdentityFace } from '../../server/faces/identity/identity-face.ts'
import type { SealControl } from '../../server/faces/sys/seal/seal-control.ts'
import { createSysFace } from '../../server/faces/sys/sys-face.ts'
import { createTokenFace } from '../../server/faces/token/token-face.ts'
import type { Builtin } from '../../server/mounts/builtin-mounts.ts'
import { defaultConfig } from '../../server/mounts/mount-row.ts'
import { currentAcl } from '../../server/pipeline/access/caller.ts'
import type { CoreOptions } from './core.ts'
import type { Nouns, OwnNouns } from './nouns.ts'
import { locateQuota } from './quotas/locate-quota.ts'
import { entityPages, sum, tokenPages } from './usage/usage.ts'

const version = 'v2.6.0+builtin.vault'

export interface BuiltinsOptions {
  readonly options: CoreOptions
  readonly nouns: Nouns
  readonly seal: SealControl
  readonly stopping: () => boolean
}

export function createBuiltins({ options, nouns, seal, stopping }: BuiltinsOptions, own: OwnNouns): readonly Builtin[] {
  const { info } = own
  const isBelow = (outerId: string, innerId: string) => nouns.namespaces.known.isBelow(outerId, innerId)
  const shared = {
    ...nouns,
    ...options,
    ...own,
    namespace: info,
    leases: nouns.leases.in(info),
    leasesBelow: () => nouns.namespaces.known.below(info.path, true).map((row) => nouns.leases.in(row)),
    namespacesBelow: () => nouns.namespaces.known.below(info.path, true),
    locateQuota: locateQuota(nouns),
    isBelow,
    namespaceOf: (id: string) => nouns.namespaces.known.byId(id),
    mountsIn: (namespace: NamespaceInfo) => nouns.nounsOf(namespace).mounts,
  }
  return [
    {
      info: builtinInfo(info, 1, 'sys/', 'system', 'system endpoints used for control, policy and debugging'),
      version,
      create: () =>
        createSysFace({
          ...shared,
          ...nouns.operations,
          ...(options.group ? { audits: options.group.audits } : {}),
          seal,
          storageType: options.backend.type,
          format: () => nouns.barrier.format,
          allRows: nouns.barrier,
          maxValueBytes: options.backend.limits.valueBytes,
          spoolPlace: options.spoolPlace ?? { folder: tmpdir(), minFreeBytes: 0 },
          stopping,
          sweep: nouns.sweep(info),
          endLoans: nouns.endLoans(info),
          hub: nouns.events,
          currentAcl: (token, remote) =>
            currentAcl(nouns.authority, token, { nouns: own, rows: nouns.barrier, incoming: { remote } }),
          source: `coffer://${options.node}`,
          counts: {
            serviceTokens: () => sum(tokenPages(nouns, info)),
            entities: () => sum(entityPages(nouns, info)),
          },
        }),
    },
    {
      info: builtinInfo(info, 2, 'auth/token/', 'token', 'token based credentials'),
      version,
      tunable: true,
      create: () => createTokenFace(shared),
    },
    {
      info: builtinInfo(info, 3, 'identity/', 'identity', 'identity store'),
      version,
      create: () => createIdentityFace(shared),
    },
    {
      info: builtinInfo(info, 4, 'cubbyhole/', 'cubbyhole', 'per-token private secret storage'),
      version,
      prefix: 'cubbyhole/',
      create: () => cubbyhole,
    },
  ]
}

/** Shown as Vault does; built-in mounts see all headers. */
const passed: Readonly<Record<string, readonly string[]>> = { system: ['Accept'], identity: ['Authorization'] }

/** The same on every node and never in storage. */
function builtinInfo(
  namespace: NamespaceInfo,
  number: number,
  path: string,
  type: string,
  description: string,
): MountInfo {
  const isAuth = path.startsWith('auth/')
  const root = namespace.id === rootNamespace.id
  const hash = createHash('sha256').update(`${namespace.id} ${path}`).digest('hex')
  return {
    path,
    class: isAuth ? 'auth' : 'secret',
    // As Vault names them; scripts tell by it whose they are.
    type: root ? type : `ns_${type}`,
    description,
    accessor: `${isAuth ? 'auth_' : ''}${type}_${root ? `0000000${number}` : hash.slice(0, 8)}`,
    uuid: root
      ? `00000000-0000-4000-8000-00000000000${number}`
      : `${hash.slice(0, 8)}-${hash.slice(8, 12)}-4${hash.slice(13, 16)}-8${hash.slice(17, 20)}-${hash.slice(20, 32)}`,
    local: type === 'cubbyhole',
    sealWrap: type === 'system',
    options: null,
    config: { ...defaultConfig, passthroughRequestHeaders: passed[type] ?? [] },
  }
}

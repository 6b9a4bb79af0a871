/** sys/internal/ui/mounts: the preflight that the CLI, agents and templates make before they read. */
import type { JsonObject } from '../../../../lib/json/value.ts'
import type { NamespaceInfo } from '../../../contracts/epochs.ts'
import { type Call, operation, Refusal, type Reply, type Route } from '../../../contracts/request.ts'
import type { Mount } from '../../../mounts/mount.ts'
import { mountJson } from '../../../mounts/mount-json.ts'
import type { MountTable } from '../../../mounts/mount-table.ts'
import type { NamespaceTable } from '../../../namespaces/namespace-table.ts'
import type { PresentedTokens } from '../../../tokens/presented-tokens.ts'
import { presentedAcl } from '../presented-acl.ts'

export interface InternalMountsOptions {
  readonly namespace: NamespaceInfo
  readonly namespaces: NamespaceTable
  readonly mounts: MountTable
  readonly mountsIn: (namespace: NamespaceInfo) => MountTable
  readonly presented: PresentedTokens
}

export function internalMountRoutes(options: InternalMountsOptions): Route[] {
  return [
    {
      path: 'internal/ui/mounts',
      summary: 'The mounts that the caller can reach; without a token those that are shown to everyone.',
      on: { read: operation({ input: {}, access: 'optional', handle: async (call) => overview(options, call) }) },
    },
    {
      path: 'internal/ui/mounts/{path...}',
      summary: 'The mount that a path belongs to, if the caller can reach it.',
      on: { read: operation({ input: {}, access: 'optional', handle: async (call) => preflight(options, call) }) },
    },
  ]
}

function overview({ mounts, presented }: InternalMountsOptions, call: Call<unknown>): Reply {
  const acl = presentedAcl(presented, call)
  const visible = mounts.known.mounts.filter(
    ({ info }) => info.config.listingVisibility === 'unauth' || acl?.reaches(info.path),
  )
  const shape = (mount: Mount): JsonObject => {
    if (acl) return mountJson(mount)
    return { description: mount.info.description, options: mount.info.options ?? {}, type: mount.info.type }
  }
  const group = (name: 'auth' | 'secret') =>
    Object.fromEntries(
      visible
        .filter(({ info }) => info.class === name)
        .map((mount) => [name === 'auth' ? mount.info.path.slice(5) : mount.info.path, shape(mount)]),
    )
  return { kind: 'data', data: { auth: group('auth'), secret: group('secret') } }
}

/** No such mount and no access are the same answer: a 404 would make the CLI take the mount for KV v1. */
async function preflight(options: InternalMountsOptions, call: Call<unknown>): Promise<Reply> {
  const found = options.presented.get(call)
  if (!found) throw new Refusal(403, 'permission denied')
  const asked = (call.params['path'] ?? '').replace(/\/*$/, '/')
  const { mount, path } = await routed(options, asked)
  if (!mount || !found.acl.reaches(path)) {
    throw new Refusal(
      403,
      `preflight capability check returned 403, please ensure client's policies grant access to path "${asked}"`,
    )
  }
  return { kind: 'data', data: { ...mountJson(mount), path } }
}

/** Also in a namespace below; `path` is the mount's as seen from here, by which the caller goes on. */
async function routed(
  { namespace, namespaces, mounts, mountsIn }: InternalMountsOptions,
  asked: string,
): Promise<{ readonly mount: Mount | undefined; readonly path: string }> {
  const inside = namespaces.known.locate(namespace.path + asked)
  const below = inside.namespace.path.slice(namespace.path.length)
  const view = below === '' ? mounts.known : await mountsIn(inside.namespace).load()
  const mount = view.route(below === '' ? asked : inside.rest)
  return { mount, path: below + (mount?.info.path ?? '') }
}

/** sys/internal/ui/mounts: the preflight that the CLI, agents and templates make before they read. */
import type { JsonObject } from '../../../../lib/json/value.ts'
import { type Call, operation, Refusal, type Reply, type Route } from '../../../contracts/request.ts'
import type { Mount } from '../../../mounts/mount.ts'
import { mountJson } from '../../../mounts/mount-json.ts'
import type { MountTable } from '../../../mounts/mount-table.ts'
import type { PresentedTokens } from '../../../tokens/presented-tokens.ts'

export interface InternalMountsOptions {
  readonly mounts: MountTable
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
  const acl = presented.get(call)?.acl
  const visible = mounts.known.mounts.filter(({ info }) =>
    acl ? acl.reaches(info.path) : info.config.listingVisibility === 'unauth',
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
function preflight({ mounts, presented }: InternalMountsOptions, call: Call<unknown>): Reply {
  const found = presented.get(call)
  if (!found) throw new Refusal(403, 'permission denied')
  const path = (call.params['path'] ?? '').replace(/\/*$/, '/')
  const mount = mounts.known.route(path)
  if (!mount || !found.acl.reaches(mount.info.path)) {
    throw new Refusal(
      403,
      `preflight capability check returned 403, please ensure client's policies grant access to path "${path}"`,
    )
  }
  return { kind: 'data', data: { ...mountJson(mount), path: mount.info.path } }
}

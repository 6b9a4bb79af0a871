/** sys/internal/specs/openapi: every route that the caller's mounts answer. */
import { operation, type Route } from '../../../../contracts/request.ts'
import type { Mount } from '../../../../mounts/mount.ts'
import type { MountTable } from '../../../../mounts/mount-table.ts'
import type { PresentedTokens } from '../../../../tokens/presented-tokens.ts'
import { presentedAcl } from '../../presented-acl.ts'
import { type DescribedMount, openApiDocument } from './openapi-document.ts'

export interface OpenApiOptions {
  /** Of the face's namespace. */
  readonly mounts: MountTable
  readonly presented: PresentedTokens
  readonly version: string
}

/** What is there in every server is no secret; other mounts are shown to those who can reach them. */
export function openApiRoutes({ mounts, presented, version }: OpenApiOptions): Route[] {
  const read = operation({
    input: {
      generic_mount_paths: { kind: 'bool', description: 'Paths of mounts as parameters', default: false },
    },
    access: 'optional',
    handle: async (call) => {
      const acl = presentedAcl(presented, call)
      const shown = mounts.known.mounts.filter(
        ({ builtin, removing, info }) =>
          !removing && (builtin || info.config.listingVisibility === 'unauth' || acl?.reaches(info.path)),
      )
      const described = call.input.generic_mount_paths ? generic(shown) : shown.map((mount) => describeMount(mount))
      return { kind: 'document', body: openApiDocument(described, version) }
    },
  })
  return [{ path: 'internal/specs/openapi', summary: 'This API, as OpenAPI 3.0.2.', on: { read } }]
}

const tagOf = ({ info }: Mount) =>
  info.path === 'sys/' ? 'system' : info.path === 'identity/' ? 'identity' : info.class === 'auth' ? 'auth' : 'secrets'

const describeMount = (mount: Mount): DescribedMount => ({
  path: mount.info.path,
  tag: tagOf(mount),
  routes: mount.engine.routes,
})

/** One of each type is enough then; KV's two versions are two types. What is built in keeps its path. */
function generic(mounts: readonly Mount[]): DescribedMount[] {
  const seen = new Set<string>()
  return mounts.flatMap((mount) => {
    const { info, builtin } = mount
    if (builtin) return [describeMount(mount)]
    const version = info.options?.['version']
    const type = `${info.class === 'auth' ? 'auth_' : ''}${info.type}${version === '2' ? '_v2' : ''}`
    if (seen.has(type)) return []
    seen.add(type)
    const name = `${type.replace(/[^a-z0-9_]/gi, '_')}_mount_path`
    return [{ ...describeMount(mount), parameter: { name, default: info.path.replace(/\/$/, '') } }]
  })
}

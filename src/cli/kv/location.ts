import { isObject, text } from '../../sdk/envelope.ts'
import { ResponseError } from '../../sdk/response-error.ts'
import { type CommandCall, Failure, failing } from '../command.ts'
import type { FlagSpecs } from '../flags.ts'
import { goValue } from '../output/go-value.ts'

export const mountFlag: FlagSpecs = {
  mount: { kind: 'text', about: "Where the engine is mounted; PATH is then below it: '-mount=secret my-app'." },
}

/** A secret of the command line, as the API knows it. */
export interface KvLocation {
  readonly versioned: boolean
  /** With its slash: "secret/". */
  readonly mountPath: string
  /** Below the mount. */
  readonly name: string
}

/** Asks the server where the mount is and whether it keeps versions (sys/internal/ui/mounts, as Vault's CLI does). */
export async function locate(call: CommandCall, typed: string): Promise<KvLocation> {
  const mount = call.flags.text('mount')
  const below = trimSlashes(typed)
  const full = mount === undefined ? below : `${trimSlashes(mount)}/${below}`
  const found = await preflight(call, mount === undefined ? full : trimSlashes(mount))
  if (!found) return { versioned: false, mountPath: `${full.split('/')[0]}/`, name: full.split('/').slice(1).join('/') }
  const mountPath = seenFromHere(found.mountPath, full)
  const name = `${full}/`.startsWith(mountPath) ? trimSlashes(full.slice(mountPath.length)) : below
  return { ...found, mountPath, name }
}

/** OpenBao names a mount of a namespace below by its path from the root, although the request's namespace is part of that. */
function seenFromHere(mountPath: string, full: string): string {
  const segments = mountPath.split('/')
  const paths = segments.slice(0, -1).map((_, i) => segments.slice(i).join('/'))
  return paths.find((path) => `${full}/`.startsWith(path)) ?? mountPath
}

/** As `locate`, for what only version 2 has. Failure 1 says that this is version 1. */
export async function locateVersioned(call: CommandCall, typed: string, otherwise: string): Promise<KvLocation> {
  const location = await failing('', locate(call, typed))
  if (!location.versioned) throw new Failure(1, otherwise)
  return location
}

type ApiPart = 'data' | 'metadata' | 'detailed-metadata' | 'delete' | 'undelete' | 'destroy'

/** The API's path: with "data" or "metadata" between mount and name for version 2. */
export function apiPath(location: KvLocation, part: ApiPart): string {
  const { versioned, mountPath, name } = location
  return (versioned ? `${mountPath}${part}/${name}` : `${mountPath}${name}`).replace(/\/+$/, '')
}

async function preflight(call: CommandCall, path: string): Promise<Omit<KvLocation, 'name'> | undefined> {
  try {
    const answer = await call.session
      .client()
      .read(`sys/internal/ui/mounts/${path}`, undefined, { signal: call.context.signal })
    const data = answer?.data
    if (!data) return undefined
    const options = isObject(data['options']) ? data['options'] : {}
    return { mountPath: text(data['path']) || `${path.split('/')[0]}/`, versioned: goValue(options['version']) === '2' }
  } catch (error) {
    // Servers before this endpoint answer 404: theirs are version 1.
    if (error instanceof ResponseError && error.status === 404) return undefined
    throw error
  }
}

const trimSlashes = (path: string) => path.trim().replace(/^\/+|\/+$/g, '')

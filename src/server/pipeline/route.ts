/** Which mount, which route, which rows: from the mount table as it is known, and again when it turns out to have moved. */
import type { JsonObject } from '../../lib/json/value.ts'
import { type Operation, Refusal, type Verb } from '../contracts/request.ts'
import type { MountView } from '../mounts/mount-table.ts'
import type { Exchange } from './exchange.ts'
import { type Converted, convertFields } from './input/fields.ts'

export function findRoute(x: Exchange, view: MountView): void {
  const { path } = x
  const { verb } = x.incoming
  const mount = view.route(path)
  const wanted: Verb = verb === 'help' ? 'read' : verb
  x.view = view
  x.mount = mount
  x.match = mount?.routes.match(below(path, mount.info.path), wanted)
  x.operation = verb === 'help' ? undefined : x.match?.route.on[wanted]
  x.converted = convert(x)
}

/** The part of a path that the engine sees; "secret" is the root of "secret/". */
export const below = (path: string, mountPath: string) =>
  path.length < mountPath.length ? '' : path.slice(mountPath.length)

const noParams = Object.freeze({})

/** A refusal is kept until the request was audited. */
function convert(x: Exchange): Converted | Refusal | undefined {
  const { operation, match, given } = x
  if (!operation) return undefined
  if (operation.input === 'free') return { input: given, unknown: [], replaced: [] }
  try {
    return convertFields(operation.input, isListing(x) ? pageOf(given) : given, match?.params ?? noParams)
  } catch (error) {
    if (error instanceof Refusal) return error
    throw error
  }
}

const isListing = (x: Exchange) => x.incoming.verb === 'list' || x.incoming.verb === 'scan'

/** `limit=max` is OpenBao's word for as many as policy allows: policy cuts the answer, the operation gives all. */
function pageOf(given: JsonObject): JsonObject {
  return given['limit'] === 'max' ? { ...given, limit: 0 } : given
}

/** What Operation.reads names; nothing when the input is refused anyway. */
export function routeKeys(x: Exchange): readonly string[] {
  const { operation, mount, match, converted } = x
  if (!operation?.reads || !mount || !match || !converted || converted instanceof Refusal) return []
  return operation.reads({ params: match.params, storage: mount.storage, input: converted.input as never })
}

export function effectOf(operation: Operation, x: Exchange): 'none' | 'storage' | 'outside' {
  const { verb } = x.incoming
  return (
    operation.effect ?? (verb === 'read' || verb === 'list' || verb === 'scan' || verb === 'head' ? 'none' : 'storage')
  )
}

/** After policy has let the caller see it: what is not there. */
export function refuseMissing(x: Exchange): void {
  // First, as in Vault: a route that captures all would take the name, and one that does not would not be found.
  const write = x.incoming.verb === 'update' || x.incoming.verb === 'patch'
  if (write && x.path.endsWith('/')) throw new Refusal(400, "cannot write to a path ending in '/'")
  if (!x.mount) throw new Refusal(404, `no handler for route "${x.path}". route entry not found.`)
  if (!x.match) throw new Refusal(404, '1 error occurred:\n\t* unsupported path\n\n')
  if (!x.operation && x.incoming.verb !== 'help')
    throw new Refusal(405, '1 error occurred:\n\t* unsupported operation\n\n')
  if (x.operation?.namespaces === 'root' && x.nouns && x.nouns.info.path !== '')
    throw new Refusal(400, 'operation unavailable in namespaces')
}

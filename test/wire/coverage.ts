/** Which operations of the routes the transcripts and the recorded exchanges show: answered, and refused. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Core } from '../../src/programs/server/core.ts'
import type { Verb } from '../../src/server/contracts/request.ts'
import { createHandler, inject } from '../../src/server/http/handler.ts'
import type { Mount } from '../../src/server/mounts/mount.ts'
import type { Incoming } from '../../src/server/pipeline/exchange.ts'
import { below } from '../../src/server/pipeline/route.ts'
import { readRecording } from './replay.ts'
import { bytesOf, parseTranscript } from './transcript.ts'

export interface Shown {
  /** "mounts.txt:12" or "01-sys.json:3" */
  readonly at: string
  readonly incoming: Incoming
  readonly status: number
  /** The answer says why. */
  readonly says: boolean
  /** The request's, as far as it is JSON. */
  readonly body: unknown
}

/** Every route of every engine, by the name of what it is mounted as. */
export type Engines = ReadonlyMap<string, Mount>

/** One mount of each type, on a server that is used for nothing else. */
export async function mountedEngines(core: Core): Promise<Engines> {
  const rest = { description: '', local: false, sealWrap: false, config: {} }
  await core.mounts.enable({ ...rest, path: 'kv/', class: 'secret', type: 'kv', options: { version: '1' } })
  await core.mounts.enable({ ...rest, path: 'auth/kubernetes/', class: 'auth', type: 'kubernetes', options: null })
  const at: Readonly<Record<string, string>> = {
    sys: 'sys/',
    identity: 'identity/',
    cubbyhole: 'cubbyhole/',
    token: 'auth/token/',
    kubernetes: 'auth/kubernetes/',
    'kv-v1': 'kv/',
    'kv-v2': 'secret/',
  }
  return new Map(
    Object.entries(at).map(([name, path]) => {
      const mount = core.mounts.known.at(path)
      if (!mount) throw new Error(`nothing is mounted at ${path}`)
      return [name, mount]
    }),
  )
}

/** "update sys/mounts/{path...}" */
export const operationsOf = (engines: Engines): string[] =>
  [...engines].flatMap(([name, { engine }]) =>
    engine.routes.flatMap((route) => Object.keys(route.on).map((verb) => `${verb} ${prefix(name)}${route.path}`)),
  )

const prefix = (name: string) => (name === 'token' || name === 'kubernetes' ? `auth/${name}/` : `${name}/`)

/** Each file by itself: what is mounted and which namespaces there are begins anew with it. */
export async function transcripts(folder: string): Promise<Shown[][]> {
  const files = readdirSync(folder).filter((name) => name.endsWith('.txt'))
  return Promise.all(
    files.map(async (file) => {
      const found = parseTranscript(readFileSync(join(folder, file), 'utf8')).map(async (step) => {
        const incoming = await read(step.method, `/v1/${step.path}`, step.headers)
        if (!incoming) return []
        const says = hasWords(jsonOf(step.expected))
        const body = step.body === undefined ? undefined : jsonOf(Buffer.from(bytesOf(step.body)).toString())
        return [{ at: `${file}:${step.line}`, incoming, status: step.status, says, body }]
      })
      return (await Promise.all(found)).flat()
    }),
  )
}

/** One session after the other; without those that are named `open`: they are not answered so. */
export async function recordings(files: readonly string[], open: ReadonlySet<string>): Promise<Shown[]> {
  const found = files.flatMap((file) =>
    readRecording(file).map(async ({ request, response: { status, body } }, index) => {
      const at = `${file}:${index}`
      if (open.has(at)) return []
      const incoming = await read(request.method, request.path, request.headers ?? {})
      return incoming ? [{ at, incoming, status, says: hasWords(body), body: request.body }] : []
    }),
  )
  return (await Promise.all(found)).flat()
}

/** As the HTTP layer reads it; undefined: it refuses it by itself, whatever the operation. */
async function read(method: string, path: string, headers: Readonly<Record<string, string>>) {
  let incoming: Incoming | undefined
  const handler = createHandler({
    handle: (seen) => {
      incoming = seen
      return Promise.reject(new Error('only read'))
    },
  })
  await inject(handler, { method, path: path.replace(/\$\{(\w+)\}/g, '$1'), headers }).catch(() => undefined)
  return incoming
}

/**
 * The operations of the exchanges that one server answered, in their order. An exchange that succeeded but is none's is
 * 'unknown': then this reading is wrong, or the transcript.
 */
export function operationsShown(engines: Engines, exchanges: readonly Shown[]): [Shown, string | undefined][] {
  const types = new Map(['sys', 'identity', 'cubbyhole'].map((name) => [`${name}/`, name]))
  types.set('auth/token/', 'token').set('secret/', 'kv-v2')
  const namespaces = new Set<string>()
  return exchanges.map((shown) => {
    const path = withoutNamespace(shown.incoming.path, namespaces)
    const found = operationAt(engines, types, path, shown.incoming.verb)
    if (shown.status < 300) learn(types, namespaces, path, shown)
    return [shown, found]
  })
}

function operationAt(engines: Engines, types: ReadonlyMap<string, string>, path: string, verb: Verb | 'help') {
  const mountPath = [...types.keys()]
    .filter((mounted) => path.startsWith(mounted) || `${path}/` === mounted)
    .sort((a, b) => b.length - a.length)[0]
  const type = types.get(mountPath ?? '')
  const mount = engines.get(type ?? '')
  if (!mount || mountPath === undefined || type === undefined || verb === 'help') return undefined
  const route = mount.routes.match(below(path, mountPath), verb)?.route
  return route?.on[verb] ? `${verb} ${prefix(type)}${route.path}` : undefined
}

function withoutNamespace(path: string, namespaces: ReadonlySet<string>): string {
  const slash = path.indexOf('/')
  return slash > 0 && namespaces.has(path.slice(0, slash)) ? withoutNamespace(path.slice(slash + 1), namespaces) : path
}

function learn(types: Map<string, string>, namespaces: Set<string>, path: string, { incoming, body }: Shown): void {
  if (incoming.verb !== 'update') return
  const namespace = /^sys\/namespaces\/([^/]+)$/.exec(path)?.[1]
  if (namespace !== undefined) namespaces.add(namespace)
  const mounted = /^sys\/(?:mounts\/|(auth\/))(.+?)(?:\/tune)?\/?$/.exec(path)
  if (mounted) {
    const at = `${mounted[1] ?? ''}${mounted[2]}/`
    const type = typeOf(body) ?? types.get(at)
    if (type !== undefined) types.set(at, type)
  }
  if (path === 'sys/remount') {
    const [from, to] = ['from', 'to'].map((name) => `${String(member(body, name)).replace(/^\/|\/$/g, '')}/`)
    const type = types.get(from ?? '')
    if (type !== undefined && to !== undefined) types.set(to, type)
  }
}

/** Undefined: the body says nothing of it. */
function typeOf(body: unknown): string | undefined {
  const type = member(body, 'type')
  const version = member(member(body, 'options'), 'version')
  if (type === 'kv-v1' || type === 'kv-v2') return type
  if (version !== undefined) return `kv-v${String(version)}`
  return type === 'kv' ? 'kv-v1' : typeof type === 'string' ? type : undefined
}

/** Vault's errors, OpenID's error, or the warnings that a 404 of the key/value engine carries. */
const hasWords = (body: unknown): boolean =>
  ['errors', 'error', 'warnings'].some((name) => {
    const words = member(body, name)
    return Array.isArray(words) ? words.length > 0 : typeof words === 'string'
  })

const member = (object: unknown, name: string): unknown =>
  typeof object === 'object' && object !== null ? Reflect.get(object, name) : undefined

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

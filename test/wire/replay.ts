/** Replays recorded exchanges on the handler and says where answers differ. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../../src/lib/clock.ts'
import { FakeClock } from '../../src/lib/fake-clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import { systemRandom } from '../../src/lib/random.ts'
import { engines, outbound } from '../../src/programs/engines.ts'
import { type Core, type CoreOptions, createCore } from '../../src/programs/server/core.ts'
import { startDev } from '../../src/programs/server/node/dev-mode.ts'
import { inject } from '../../src/server/http/handler.ts'
import { vaultTtl } from '../../src/server/mounts/mount-json.ts'
import { openMemory } from '../../src/server/storage/memory/memory.ts'

export interface Exchange {
  readonly request: {
    readonly method: string
    readonly path: string
    /** Absent: the root token; null: none. */
    readonly token?: string | null
    readonly headers?: Readonly<Record<string, string>>
    readonly body?: unknown
    readonly raw?: string
  }
  readonly response: {
    readonly status: number
    readonly headers: Readonly<Record<string, string>>
    readonly body: unknown
  }
}

export const readRecording = (file: string): Exchange[] =>
  JSON.parse(readFileSync(join(import.meta.dirname, '../recorded/wire', file), 'utf8'))

/** Values that later requests use, by the exchange whose answer has them. */
const captures: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  '04-tokens.json:2': { t: 'auth.client_token', ta: 'auth.accessor' },
  '04-tokens.json:20': { p: 'auth.client_token' },
  '04-tokens.json:23': { b: 'auth.client_token' },
  '04-tokens.json:27': { u: 'auth.client_token' },
  '05-wrapping.json:0': { w: 'wrap_info.token' },
  '05-wrapping.json:2': { w2: 'wrap_info.token' },
  '05-wrapping.json:6': { w3: 'wrap_info.token' },
  '09-identity.json:0': { eid: 'data.id' },
  '09-identity.json:7': { alid: 'data.id' },
  '09-identity.json:9': { gid: 'data.id' },
  '10-leases-database.json:5': { l: 'lease_id' },
  '13-kubernetes-auth.json:13': { kt: 'auth.client_token' },
}

/** A development server as the recordings were made with: root token "root", secret/ as KV v2. */
export async function startServer(options: ServerOptions = {}): Promise<Core> {
  const core = newServer(options)
  await startDev(core, { rootToken: 'root', host: '127.0.0.1', port: 0, storeToken: false })
  return core
}

export type ServerOptions = Partial<CoreOptions> & { readonly clock?: Clock }

/** The same before it is initialised. */
export function newServer(options: ServerOptions = {}): Core {
  const clock = options.clock ?? new FakeClock()
  return createCore({
    backend: openMemory({ clock, random: systemRandom }),
    types: engines,
    auditDevices: {},
    outbound: outbound({ allow: [] }),
    ttl: vaultTtl,
    clock,
    random: systemRandom,
    log: silentLog,
    version: '2.6.0',
    cofferVersion: '0.1.0',
    node: 'wire',
    ...options,
  })
}

/** The paths at which each exchange's answer differs from the recorded one, by "file:index". */
export async function replay(core: Core, files: readonly string[]): Promise<Map<string, readonly string[]>> {
  const values = new Map<string, string>([
    ['root', 'root'],
    ['ca', recordedCa()],
  ])
  const differences = new Map<string, readonly string[]>()
  for (const file of files) {
    for (const [index, exchange] of readRecording(file).entries()) {
      const at = `${file}:${index}`
      const answer = await send(core, exchange.request, (text) =>
        text.replace(/\$\{(\w+)\}/g, (_, name: string) => values.get(name) ?? name),
      )
      for (const [name, path] of Object.entries(captures[at] ?? {})) {
        const value = path.split('.').reduce<unknown>((object, key) => member(object, key), answer.body)
        if (typeof value === 'string') values.set(name, value)
      }
      const wanted = { ...exchange.response, headers: exchange.response.headers }
      const shown = Object.fromEntries(Object.keys(wanted.headers).map((name) => [name, answer.headers[name]]))
      const body = answer.status === 403 ? withoutRequestId(answer.body) : answer.body
      differences.set(at, differ(wanted, { status: answer.status, headers: shown, body }, ''))
    }
  }
  return differences
}

/** Every 403 of ours names its request beside Vault's text, for sys/coffer/explain. */
function withoutRequestId(body: unknown): unknown {
  if (!isObject(body) || typeof body['request_id'] !== 'string') throw new Error('a 403 without request_id')
  const { request_id: _, ...rest } = body
  return rest
}

/** The certificate that the recorded configuration was given: it is read back in a later exchange. */
function recordedCa(): string {
  const body = readRecording('13-kubernetes-auth.json')[5]?.response.body
  return String(member(member(body, 'data'), 'kubernetes_ca_cert'))
}

async function send(core: Core, request: Exchange['request'], fill: (text: string) => string) {
  const token = request.token === undefined ? 'root' : request.token === null ? undefined : fill(request.token)
  const headers = Object.fromEntries(Object.entries(request.headers ?? {}).map(([name, value]) => [name, fill(value)]))
  const body = request.raw ?? (request.body === undefined ? undefined : JSON.stringify(fillAll(request.body, fill)))
  const answer = await inject(core.handler, {
    method: request.method,
    path: fill(request.path),
    headers: { ...(token === undefined ? {} : { 'X-Vault-Token': token }), ...headers },
    ...(body === undefined ? {} : { body }),
  })
  const lower = Object.fromEntries(Object.entries(answer.headers).map(([name, value]) => [name.toLowerCase(), value]))
  return { status: answer.status, headers: lower, body: parse(answer.body) }
}

function fillAll(value: unknown, fill: (text: string) => string): unknown {
  if (typeof value === 'string') return fill(value)
  if (Array.isArray(value)) return value.map((item) => fillAll(item, fill))
  if (!isObject(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, fillAll(item, fill)]))
}

const parse = (text: string): unknown => (text === '' ? null : JSON.parse(text))
const member = (object: unknown, key: string): unknown =>
  typeof object === 'object' && object !== null ? Reflect.get(object, key) : undefined

/** Members whose values no two servers share. */
const volatile = new Set(['server_time_utc', 'creation_time', 'ttl', 'last_renewal_time', 'client_remote_address'])

function differ(wanted: unknown, actual: unknown, path: string): string[] {
  if (Array.isArray(wanted) && Array.isArray(actual)) {
    if (wanted.length !== actual.length) return [path]
    return wanted.flatMap((item, i) => differ(item, actual[i], `${path}.${i}`))
  }
  if (isObject(wanted) && isObject(actual)) {
    const ids = [idOf(wanted), idOf(actual)]
    if (ids[0] !== undefined && ids[1] !== undefined) {
      return differ(wanted[ids[0]], actual[ids[1]], path === '' ? '<uuid>' : `${path}.<uuid>`)
    }
    const keys = new Set([...Object.keys(wanted), ...Object.keys(actual)])
    return [...keys].flatMap((key) => {
      const below = path === '' ? key : `${path}.${key}`
      if (!(key in wanted) || !(key in actual)) return [below]
      if (volatile.has(key) && typeof wanted[key] === typeof actual[key]) return []
      return differ(wanted[key], actual[key], below)
    })
  }
  return shape(wanted) === shape(actual) ? [] : [path]
}

/** The one member of an object that is kept by the id of a request. */
function idOf(object: Record<string, unknown>): string | undefined {
  const [key, ...more] = Object.keys(object)
  return key !== undefined && more.length === 0 && shape(key) === '<uuid>' ? key : undefined
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** What two servers must share of a value: times, ids and tokens only by their form. */
function shape(value: unknown): unknown {
  if (typeof value !== 'string') return value
  return (
    value
      .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '<uuid>')
      .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, '<time>')
      .replace(/^(s|hvs)\.[A-Za-z0-9]{24}$/, '<token>')
      .replace(/^(b|hvb)\.[\w-]{60,}$/, '<batch token>')
      .replace(/(^|\/)[A-Za-z0-9]{24}$/, '$1<id>')
      .replace(/^([a-z_]+)_[0-9a-f]{8}$/, '$1_<hex>')
      // Of a namespace. No word of ours has a capital or a digit among six characters.
      .replace(/^(?=.*[A-Z0-9])[A-Za-z0-9]{6}$/, '<namespace>')
      .replace(/^vault-cluster-[0-9a-f]{8}$/, '<cluster>')
      .replace(/^v[\d.]+\+builtin(\.\w+)?$/, '<plugin version>')
  )
}

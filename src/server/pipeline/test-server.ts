/** For tests: a whole server without sockets over memory storage, and an engine that keeps rows and leases what it is told to. */
import { FakeClock } from '../../lib/fake-clock.ts'
import { parseJson } from '../../lib/json/parse.ts'
import { stringifyJson } from '../../lib/json/stringify.ts'
import type { Json, JsonObject } from '../../lib/json/value.ts'
import type { LogFields, Logger } from '../../lib/log.ts'
import { systemRandom } from '../../lib/random.ts'
import { type Core, createCore } from '../../programs/server/core.ts'
import type { AuthMethod, LoginGrant } from '../contracts/access/auth.ts'
import type { AuditDeviceType } from '../contracts/devices.ts'
import type { MountType } from '../contracts/mounted.ts'
import { operation, Refusal } from '../contracts/request.ts'
import type { StorageBackend } from '../contracts/storage.ts'
import { inject } from '../http/handler.ts'
import { vaultTtl } from '../mounts/mount-json.ts'
import { openMemory } from '../storage/memory/memory.ts'

const anyJson = { parse: (value: unknown) => value as Json }

/** What the leased things of all test engines are and what happened to them. */
export interface World {
  readonly alive: Set<string>
  readonly revoked: string[]
  failRevocations: number
  /** Names whose revocation fails. */
  failFor: ReadonlySet<string>
  failEffects: boolean
  /** What logins earn beyond the plain grant; undefined: renewals are refused. */
  grant: Partial<LoginGrant> | undefined
  /** Called within the effect. */
  during: () => Promise<void>
}

export const newWorld = (): World => ({
  alive: new Set(),
  revoked: [],
  failRevocations: 0,
  failFor: new Set(),
  failEffects: false,
  grant: {},
  during: async () => {},
})

/** Routes: `row/{name}` (create and update differ), `creds/{name}` (leased), `fields`, `list`. */
export function testEngine(world: World): MountType {
  return {
    type: 'test',
    class: 'secret',
    version: 'v1',
    create: ({ storage, events, mount, namespace }) => ({
      changed: (keys) => {
        for (const key of keys === 'reset' ? [] : keys)
          events.publish({ type: 'test/changed', namespace, mount, dataPath: mount.path + key, metadata: {} })
      },
      leases: {
        thing: {
          state: anyJson,
          revoke: async (state: Json) => {
            if (world.failRevocations > 0) {
              world.failRevocations -= 1
              throw new Error('cannot reach it')
            }
            if (world.failFor.has(String(state))) throw new Error('cannot reach it')
            world.alive.delete(String(state))
            world.revoked.push(String(state))
          },
          renew: async (_state: Json, incrementMs: number) => ({ ttlMs: incrementMs }),
        },
      },
      routes: [
        {
          path: 'row/{name}',
          summary: 'A row.',
          exists: async (call) => (await call.storage.get(`row/${call.params['name']}`, anyJson)) !== undefined,
          on: {
            read: operation({
              input: {},
              reads: ({ params }) => [`${storage.prefix}row/${params['name']}`],
              handle: async (call) => {
                const row = await call.storage.get(`row/${call.params['name']}`, anyJson)
                return row === undefined
                  ? { kind: 'none' }
                  : { kind: 'data', data: row as JsonObject, headers: { 'X-Row': 'yes', 'X-Other': 'yes' } }
              },
            }),
            update: operation({
              input: 'free',
              handle: async (call) => {
                await call.transaction(async (tx) => tx.put(call.storage, `row/${call.params['name']}`, call.input))
                return { kind: 'none' }
              },
            }),
            delete: operation({
              input: {},
              handle: async (call) => {
                await call.transaction(async (tx) => tx.remove(call.storage, `row/${call.params['name']}`))
                return { kind: 'none' }
              },
            }),
          },
        },
        {
          path: 'row',
          summary: 'Rows.',
          on: {
            list: operation({
              input: {},
              handle: async (call) => ({
                kind: 'data',
                data: { keys: await call.storage.list('row/', { depth: 'children', limit: 100 }) },
              }),
            }),
          },
        },
        {
          path: 'creds/{name}',
          summary: 'A leased thing.',
          on: {
            read: operation({
              input: { ttl: { kind: 'duration', description: 'ttl', default: 0 } },
              effect: 'outside',
              handle: (call) =>
                call.leases.issue(
                  'thing',
                  call.params['name'] ?? '',
                  { ttlMs: call.input.ttl, maxTtlMs: 7_200_000, renewable: true },
                  async () => {
                    await world.during()
                    world.alive.add(call.params['name'] ?? '')
                    if (world.failEffects) throw new Error('the effect failed half way')
                    return { name: call.params['name'] }
                  },
                ),
            }),
          },
        },
        {
          path: 'fields/{name}',
          summary: 'Declared fields.',
          on: {
            update: operation({
              input: {
                count: { kind: 'int', description: 'A number', default: 0 },
                on: { kind: 'bool', description: 'A switch', default: false },
                ttl: { kind: 'duration', description: 'A time', default: 0 },
                names: { kind: 'commaList', description: 'Names', default: [] },
              },
              handle: async (call) => {
                const { count, on, ttl, names } = call.input
                return { kind: 'data', data: { count, on, ttl, names } }
              },
            }),
          },
        },
        {
          path: 'broken',
          summary: 'Fails.',
          on: {
            read: operation({
              input: {},
              handle: async () => {
                throw new Error('a secret detail')
              },
            }),
            delete: operation({
              input: {},
              handle: async () => {
                throw new Refusal(400, 'refused', { data: { why: 'because' } })
              },
            }),
          },
        },
      ],
    }),
  }
}

/** Route `login`: whoever says a name gets the grant that the world holds. */
export function testAuth(world: World): MountType {
  return {
    type: 'door',
    class: 'auth',
    version: 'v1',
    create: () => ({
      renew: async (grant: LoginGrant) => {
        if (world.grant === undefined) throw new Refusal(403, 'the role is gone')
        return { ...grant, ...world.grant }
      },
      routes: [
        {
          path: 'login',
          summary: 'Logs in.',
          on: {
            update: operation({
              input: { name: { kind: 'string', description: 'Who', default: '' } },
              access: 'public',
              handle: async (call) => {
                if (call.input.name === '') throw new Refusal(400, 'missing name')
                return { kind: 'login', grant: { ...plainGrant, displayName: call.input.name, ...world.grant } }
              },
            }),
          },
        },
      ],
    }),
  } satisfies MountType<AuthMethod>
}

const plainGrant: LoginGrant = {
  displayName: '',
  policies: ['rw'],
  metadata: { role: 'r' },
  ttlMs: 3_600_000,
  maxTtlMs: 7_200_000,
  explicitMaxTtlMs: 0,
  periodMs: 0,
  numUses: 0,
  renewable: true,
  noDefaultPolicy: false,
  boundCidrs: [],
  tokenType: 'default',
  internal: {},
}

/** A device whose lines tests read, and that can be made to refuse. */
export class TestDevice {
  readonly lines: JsonObject[] = []
  refuse: (line: JsonObject) => boolean = () => false

  readonly type: AuditDeviceType = {
    type: 'test',
    open: async () => ({
      type: 'test',
      write: async (lines) => {
        const read = lines.map((line) => parseJson(Buffer.from(line).toString().trim()) as JsonObject)
        if (read.some((line) => this.refuse(line))) throw new Error('disk full')
        this.lines.push(...read.filter((line) => line['type'] === 'request' || line['type'] === 'response'))
      },
      close: async () => {},
    }),
  }
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
  /** The body, loosely. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers freely
  readonly body: any
}

export class TestServer {
  readonly clock = new FakeClock()
  readonly world = newWorld()
  readonly device = new TestDevice()
  /** What a person should see. */
  readonly logged: { readonly level: 'warn' | 'error'; readonly event: string; readonly fields: LogFields }[] = []
  readonly backend: StorageBackend
  core: Core
  root = ''
  key = ''

  constructor(backend?: (clock: FakeClock) => StorageBackend) {
    this.backend = backend ? backend(this.clock) : openMemory({ clock: this.clock, random: systemRandom })
    this.core = this.#newCore()
  }

  static async start(backend?: (clock: FakeClock) => StorageBackend): Promise<TestServer> {
    const server = new TestServer(backend)
    const init = await server.call('PUT', 'sys/init', { secret_shares: 1, secret_threshold: 1 }, '')
    server.root = init.body.root_token
    server.key = init.body.keys[0]
    await server.call('PUT', 'sys/unseal', { key: server.key }, '')
    await server.call('POST', 'sys/mounts/test', { type: 'test' })
    return server
  }

  #newCore(): Core {
    const types = [testEngine(this.world), testAuth(this.world)]
    return createCore({
      backend: this.backend,
      types: {
        find: (name, mountClass) => {
          const type = types.find((t) => t.type === name && t.class === mountClass)
          return type && { type }
        },
      },
      auditDevices: { test: this.device.type },
      outbound: { request: async () => Promise.reject(new Error('no outbound in tests')) },
      ttl: vaultTtl,
      clock: this.clock,
      random: systemRandom,
      log: this.#log(),
      version: '2.6.0',
      cofferVersion: '0.1.0',
      node: 'test',
    })
  }

  #log(): Logger {
    const keep =
      (level: 'warn' | 'error') =>
      (event: string, fields: LogFields = {}) => {
        this.logged.push({ level, event, fields })
      }
    const log: Logger = { debug() {}, info() {}, warn: keep('warn'), error: keep('error'), with: () => log }
    return log
  }

  /** As after a crash: a second process over the same storage, unsealed. */
  async another(): Promise<TestServer> {
    const other = new TestServer(() => this.backend)
    Object.assign(other, { clock: this.clock, world: this.world, device: this.device, root: this.root, key: this.key })
    other.core = other.#newCore()
    await other.call('PUT', 'sys/unseal', { key: this.key }, '')
    return other
  }

  async call(
    method: string,
    path: string,
    body?: unknown,
    token?: string,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const presented = token ?? this.root
    const answer = await inject(this.core.handler, {
      method,
      path: `/v1/${path}`,
      headers: { ...(presented === '' ? {} : { 'X-Vault-Token': presented }), ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : stringifyJson(body as Json) }),
    })
    const text = answer.body
    return { status: answer.status, headers: answer.headers, text, body: text === '' ? undefined : JSON.parse(text) }
  }

  async policy(name: string, text: string): Promise<void> {
    await this.call('PUT', `sys/policies/acl/${name}`, { policy: text })
  }

  /** A token with these policies. */
  async token(policies: readonly string[], more: JsonObject = {}, token = this.root): Promise<string> {
    const answer = await this.call('POST', 'auth/token/create', { policies, ...more }, token)
    return answer.body.auth?.client_token ?? answer.text
  }

  async close(): Promise<void> {
    const closing = this.core.close(0)
    await this.clock.advance(1)
    // Requests that hang are waited for.
    await this.clock.advance(5000)
    await closing
  }
}

/**
 * A server with something of everything in it, in the root namespace and in a child, that is put back whenever a request
 * changed it; and the operations that it has.
 */
import { FakeClock } from '../../src/lib/fake-clock.ts'
import type { Logger } from '../../src/lib/log.ts'
import { systemRandom } from '../../src/lib/random.ts'
import { engines, outbound } from '../../src/programs/engines.ts'
import { type Core, createCore } from '../../src/programs/server/core.ts'
import type { Operation, Route, Verb } from '../../src/server/contracts/request.ts'
import type { StorageBackend, Stored } from '../../src/server/contracts/storage.ts'
import type { Mount } from '../../src/server/mounts/mount.ts'
import { vaultTtl } from '../../src/server/mounts/mount-json.ts'
import { TestDevice } from '../../src/server/pipeline/test-server.ts'
import { openMemory } from '../../src/server/storage/memory/memory.ts'

export const child = 'team'
/** The name of whatever a path captures: there is one of each kind. */
export const thing = 'x'

export interface Endpoint {
  readonly mount: Mount
  readonly route: Route
  readonly verb: Verb
  readonly operation: Operation
  /** Filled in, below /v1/. */
  readonly path: string
  /** "update sys/mounts/{path...}": how exceptions name it. */
  readonly name: string
}

export interface Sent {
  readonly verb?: Verb
  readonly path?: string
  readonly query?: string
  readonly body?: string | Uint8Array
  readonly token?: string
  readonly namespace?: string
  readonly headers?: Readonly<Record<string, string>>
}

export interface Answered {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
  readonly body: any
  /** Keys of the rows that were written or removed meanwhile. */
  readonly wrote: readonly string[]
}

export const methods: Readonly<Record<Verb, string>> = {
  read: 'GET',
  list: 'LIST',
  scan: 'SCAN',
  update: 'POST',
  patch: 'PATCH',
  delete: 'DELETE',
  head: 'HEAD',
}

export class Walk {
  readonly lines: string[] = []
  readonly tokens = { root: '', nobody: '', childNobody: '' }
  #key = new Uint8Array()
  #rows: (readonly [string, Stored])[] = []
  #wrote: string[] = []
  #core: Core | undefined
  #stale = true

  static async start(): Promise<Walk> {
    const walk = new Walk()
    await walk.#prepare()
    return walk
  }

  get core(): Core {
    if (!this.#core) throw new Error('not started')
    return this.#core
  }

  endpoints(): Endpoint[] {
    return this.core.mounts.known.mounts.flatMap((mount) =>
      mount.engine.routes.flatMap((route) =>
        (Object.keys(methods) as Verb[]).flatMap((verb) => {
          const operation = route.on[verb]
          const path = mount.info.path + filled(route.path)
          return operation
            ? [{ mount, route, verb, operation, path, name: `${verb} ${mount.info.path}${route.path}` }]
            : []
        }),
      ),
    )
  }

  /** Sends to a server that is as it was prepared, whatever was sent before. */
  async send(endpoint: Endpoint, sent: Sent): Promise<Answered> {
    if (this.#stale) await this.restore()
    return this.sendNext(endpoint, sent)
  }

  /** Sends to the server as the last request left it, unless that sealed it. */
  async sendNext(endpoint: Endpoint, sent: Sent): Promise<Answered> {
    if (this.core.seal.sealed) await this.restore()
    const answer = await this.#request(sent.verb ?? endpoint.verb, sent.path ?? endpoint.path, sent)
    this.#stale ||= answer.wrote.length > 0 || this.core.seal.sealed
    return answer
  }

  /** As it was prepared, also what it keeps in memory. */
  async restore(): Promise<void> {
    await this.#core?.close(0)
    const backend = this.#open()
    const rows = this.#rows
    await backend.load(
      (async function* () {
        yield* rows
      })(),
    )
    await this.core.seal.unseal(Uint8Array.from(this.#key))
    await this.#quiet()
    this.#stale = false
  }

  async close(): Promise<void> {
    await this.#core?.close(0)
  }

  async #request(verb: Verb, path: string, sent: Sent): Promise<Answered> {
    this.#wrote = []
    const gone: (() => void)[] = []
    const token = sent.token ?? this.tokens.root
    const headers = {
      ...(token === '' ? {} : { 'X-Vault-Token': token }),
      ...(sent.namespace ? { 'X-Vault-Namespace': sent.namespace } : {}),
      ...(verb === 'patch' ? { 'Content-Type': 'application/merge-patch+json' } : {}),
      ...sent.headers,
    }
    const body = typeof sent.body === 'string' ? Buffer.from(sent.body) : sent.body
    const answer = await this.core.handler({
      method: methods[verb],
      target: `/v1/${path}${sent.query ? `?${sent.query}` : ''}`,
      rawHeaders: Object.entries(headers).flat(),
      remote: { address: '127.0.0.1', port: 1 },
      onGone: (listener) => gone.push(listener),
      ...(body ? { body } : {}),
    })
    const { status } = answer
    let text = ''
    if (typeof answer.body === 'string') text = answer.body
    else if (answer.body instanceof Uint8Array) text = Buffer.from(answer.body).toString()
    else {
      // A stream may have no end: that it was begun is enough.
      for (const listener of gone) listener()
      await answer.body[Symbol.asyncIterator]().return?.()
    }
    const json = answer.headers['Content-Type'] === 'application/json' && text !== ''
    return { status, headers: answer.headers, text, body: json ? JSON.parse(text) : undefined, wrote: this.#wrote }
  }

  async #prepare(): Promise<void> {
    const backend = this.#open()
    const { keys, rootToken } = await this.core.seal.initialise({ shares: 1, threshold: 1 })
    this.#key = Uint8Array.from(keys[0] ?? [])
    this.tokens.root = rootToken
    await this.core.seal.unseal(Uint8Array.from(this.#key))
    await this.#do('update', `sys/namespaces/${child}`, {})
    this.tokens.nobody = await this.#furnish('')
    this.tokens.childNobody = await this.#furnish(child)
    for await (const row of backend.snapshot(new AbortController().signal)) this.#rows.push(row)
  }

  async #furnish(namespace: string): Promise<string> {
    for (const [path, body] of furniture) await this.#do('update', path, body, namespace)
    const own = namespace === '' ? rootFurniture : childFurniture
    for (const [path, body] of own) await this.#do('update', path, body, namespace)
    const made = await this.#do(
      'update',
      'auth/token/create',
      { policies: ['nothing'], no_default_policy: true },
      namespace,
    )
    return made.auth.client_token
  }

  async #do(verb: Verb, path: string, body: unknown, namespace = '') {
    const answer = await this.#request(verb, path, { body: JSON.stringify(body), namespace })
    if (answer.status >= 300) throw new Error(`${path} in "${namespace}": ${answer.status} ${answer.text}`)
    return answer.body
  }

  /** What an unsealed server does on its own has been done. */
  async #quiet(): Promise<void> {
    for (let calm = 0; calm < 3; calm += 1) {
      const before = this.#wrote.length
      await new Promise((resolve) => setImmediate(resolve))
      if (this.#wrote.length > before) calm = 0
    }
  }

  #open(): StorageBackend {
    const clock = new FakeClock()
    const backend = openMemory({ clock, random: systemRandom })
    this.#core = createCore({
      backend: watched(backend, (keys) => this.#wrote.push(...keys.filter((key) => !ownBusiness.test(key)))),
      types: engines,
      auditDevices: { test: new TestDevice().type },
      outbound: outbound({ allow: [] }),
      ttl: vaultTtl,
      clock,
      random: systemRandom,
      log: logTo(this.lines),
      version: '2.6.0',
      cofferVersion: '0.1.0',
      node: 'walk',
    })
    return backend
  }
}

/** What a server writes for itself: who does the housekeeping, where the audit's chains begin. */
const ownBusiness = /^core\/housekeeper$|\/audit\/chain\//

/** Says which rows each commit touches. */
function watched(backend: StorageBackend, note: (keys: readonly string[]) => void): StorageBackend {
  return {
    type: backend.type,
    limits: backend.limits,
    read: (keys) => backend.read(keys),
    list: (prefix, page) => backend.list(prefix, page),
    commit: (commit) => {
      note([...(commit.create ?? []), ...(commit.put ?? [])].map(({ key }) => key))
      note(commit.remove ?? [])
      return backend.commit(commit)
    },
    clear: (prefix, limit) => {
      note([prefix])
      return backend.clear(prefix, limit)
    },
    snapshot: (signal) => backend.snapshot(signal),
    load: (rows) => backend.load(rows),
    replace: (rows, bytes) => backend.replace(rows, bytes),
    now: () => backend.now(),
    changes: (signal) => backend.changes(signal),
    lead: (work, until) => backend.lead(work, until),
    announce: () => backend.announce(),
    isAtWork: (opening) => backend.isAtWork(opening),
    close: () => backend.close(),
  }
}

function logTo(lines: string[]): Logger {
  const add = (event: string, fields?: object) => void lines.push(`${event} ${JSON.stringify(fields)}`)
  const log: Logger = { debug: add, info: add, warn: add, error: add, with: () => log }
  return log
}

const filled = (route: string) => route.replace(/\{[^}]+\}/g, thing)

const policy = 'path "elsewhere/*" { capabilities = ["read"] }'

/** In each namespace. */
const furniture: readonly (readonly [string, unknown])[] = [
  ['sys/mounts/secret', { type: 'kv-v2' }],
  ['sys/mounts/kv1', { type: 'kv-v1' }],
  ['sys/auth/kubernetes', { type: 'kubernetes' }],
  [`sys/auth/${thing}`, { type: 'kubernetes' }],
  [`sys/policies/acl/${thing}`, { policy }],
  [`sys/policies/password/${thing}`, { policy: 'length = 20\nrule "charset" { charset = "abc" }' }],
  [`secret/data/${thing}`, { data: { a: '1' } }],
  [`secret/metadata/${thing}`, { custom_metadata: { a: '1' } }],
  [`kv1/${thing}`, { a: '1' }],
  [`cubbyhole/${thing}`, { a: '1' }],
  ['auth/kubernetes/config', { kubernetes_host: 'https://kubernetes.example:6443' }],
  [
    `auth/kubernetes/role/${thing}`,
    { bound_service_account_names: ['a'], bound_service_account_namespaces: ['b'], policies: ['p'] },
  ],
  [`auth/token/roles/${thing}`, { allowed_policies: ['p'] }],
  [`identity/entity/name/${thing}`, { policies: ['p'] }],
  [`identity/group/name/${thing}`, { policies: ['p'] }],
]

/** A mount and a namespace cannot have the same path. */
const childFurniture: readonly (readonly [string, unknown])[] = [[`sys/mounts/${thing}`, { type: 'kv-v1' }]]

const rootFurniture: readonly (readonly [string, unknown])[] = [
  [`sys/namespaces/${thing}`, {}],
  [`sys/quotas/rate-limit/${thing}`, { rate: 1_000_000, path: 'kv1/' }],
  [`sys/quotas/lease-count/${thing}`, { max_leases: 1_000_000, path: 'kv1/' }],
  [`sys/audit/${thing}`, { type: 'test' }],
]

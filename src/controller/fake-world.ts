import { ApiServer } from '../devcluster/api/api-server.ts'
import type { KubeClient, KubeObject, Ref } from '../kube/client.ts'
import { createInProcessClient } from '../kube/in-process-client.ts'
import {
  type CoreEvent,
  customResourceDefinitions as definitionType,
  events,
  type Secret,
  secrets,
} from '../kube/object-types.ts'
import { FakeClock } from '../lib/fake-clock.ts'
import { type LogFields, type Logger, silentLog } from '../lib/log.ts'
import { systemRandom } from '../lib/random.ts'
import { customResourceDefinitions } from './crds/definitions.ts'
import { type ExternalSecret, externalSecrets, parseExternalSecret } from './crds/external-secret.ts'
import type { SecretStoreProvider } from './providers/provider.ts'
import { FakeVault } from './providers/vault/fake-vault.ts'
import { vaultProvider } from './providers/vault/vault-provider.ts'
import { runController } from './run-controller.ts'

export const namespace = 'default'

/** For tests: a development cluster and a server in this process, and any number of controllers, one after the other. */
export class FakeWorld {
  readonly clock = new FakeClock()
  readonly vault = new FakeVault()
  readonly log = new RecordingLog()
  readonly cluster: ApiServer
  readonly client: KubeClient
  readonly #providers: readonly SecretStoreProvider[]
  readonly #stops = new Set<() => Promise<void>>()

  private constructor(providers: readonly SecretStoreProvider[]) {
    const { clock } = this
    const adminToken = 'admin'
    this.cluster = new ApiServer({ clock, random: systemRandom, caPem: 'no certificate', adminToken })
    this.client = createInProcessClient((request) => this.cluster.handle(request), {
      clock,
      random: systemRandom,
      log: silentLog,
      headers: { authorization: `Bearer ${adminToken}` },
    })
    const unreachable = new FakeVault()
    unreachable.set('down')
    const dial = ({ address }: { address: string }) => (address === 'http://vault' ? this.vault : unreachable)
    this.#providers = [vaultProvider({ dial }), ...providers]
  }

  static async open(providers: readonly SecretStoreProvider[] = []): Promise<FakeWorld> {
    const world = new FakeWorld(providers)
    for (const definition of customResourceDefinitions()) await world.client.create(definitionType, definition)
    return world
  }

  /** Starts a controller; the result stops it. */
  async controller(): Promise<() => Promise<void>> {
    const stop = new AbortController()
    let ready = false
    const { client, clock, log } = this
    const done = runController(
      {
        client,
        clock,
        log: log.logger(),
        random: systemRandom,
        providers: this.#providers,
        ownToken: async () => undefined,
        controllerClass: 'default',
        concurrency: 4,
        storeRequeueIntervalMs: 300_000,
        onReady: () => {
          ready = true
        },
      },
      stop.signal,
    )
    const end = async () => {
      this.#stops.delete(end)
      stop.abort(new Error('stopped'))
      await done
    }
    this.#stops.add(end)
    await this.until('a ready controller', async () => ready)
    return end
  }

  async close(): Promise<void> {
    for (const stop of this.#stops) await stop()
    this.cluster.close()
  }

  /** Lets promises run, without time going by, until `look` gives something. */
  async until<T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> {
    for (let turns = 0; turns < 500; turns += 1) {
      const found = await look()
      if (found !== undefined && found !== false) return found
      await this.clock.advance(0)
    }
    throw new Error(`waited in vain for ${what}\n${this.log.lines.join('\n')}`)
  }

  async externalSecret(name = 'app'): Promise<ExternalSecret> {
    const object = await this.client.get(externalSecrets, { namespace, name })
    const es = object && parseExternalSecret(object)
    if (typeof es !== 'object') throw new Error(es ?? `no ExternalSecret ${name}`)
    return es
  }

  async condition(type: string, name = 'app') {
    return (await this.externalSecret(name)).status.conditions.find((one) => one.type === type)
  }

  async secret(name = 'app'): Promise<Secret | undefined> {
    return this.client.get(secrets, { namespace, name })
  }

  async values(name = 'app'): Promise<Record<string, string> | undefined> {
    const secret = await this.secret(name)
    if (!secret) return undefined
    const entries = Object.entries(secret.data ?? {})
    return Object.fromEntries(entries.map(([key, text]) => [key, Buffer.from(text, 'base64').toString()]))
  }

  async untilValues(values: Record<string, string>, name = 'app'): Promise<void> {
    const wanted = JSON.stringify(values)
    await this.until(`${name} to hold ${wanted}`, async () => JSON.stringify(await this.values(name)) === wanted)
  }

  async untilCondition(type: string, status: string, name = 'app') {
    return this.until(`${type}=${status} of ${name}`, async () => {
      const condition = await this.condition(type, name)
      return condition?.status === status && condition
    })
  }

  /** "2x Normal Updated secret updated", sorted. */
  async events(ref: Ref & { kind?: string } = { name: 'app' }): Promise<string[]> {
    const { items } = await this.client.list<CoreEvent>(events)
    return items
      .filter(
        ({ involvedObject }) =>
          involvedObject.name === ref.name && involvedObject.kind === (ref.kind ?? 'ExternalSecret'),
      )
      .map((event) => `${event.count}x ${event.type} ${event.reason} ${event.message}`)
      .sort()
  }
}

/** Keeps what was logged, for canaries and for failing tests. */
class RecordingLog {
  readonly lines: string[] = []

  logger(): Logger {
    const entry = (event: string, fields?: LogFields) => {
      this.lines.push(`${event} ${JSON.stringify(fields ?? {})}`)
    }
    const logger: Logger = { ...silentLog, debug: entry, info: entry, warn: entry, error: entry, with: () => logger }
    return logger
  }
}

export const vaultStore = (name = 'vault-backend', server = 'http://vault'): KubeObject => ({
  apiVersion: 'external-secrets.io/v1',
  kind: 'SecretStore',
  metadata: { name, namespace },
  spec: {
    provider: {
      vault: {
        server,
        path: 'secret',
        version: 'v2',
        auth: { kubernetes: { mountPath: 'kubernetes', role: 'r', serviceAccountRef: { name: 'default' } } },
      },
    },
  },
})

export const externalSecret = (spec: object = {}, metadata: object = {}): KubeObject => ({
  apiVersion: 'external-secrets.io/v1',
  kind: 'ExternalSecret',
  metadata: { name: 'app', namespace, ...metadata },
  spec: {
    refreshInterval: '1h',
    secretStoreRef: { name: 'vault-backend', kind: 'SecretStore' },
    data: [{ secretKey: 'k', remoteRef: { key: 'app', property: 'k' } }],
    ...spec,
  },
})

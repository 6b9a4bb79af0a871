/** The open stores: one link per SecretStore object, replaced when the object changes. */

import type { Reader, Writer } from '../../kube/client.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/log.ts'
import type { RandomBytes } from '../../lib/random.ts'
import type { SecretStore } from '../crds/secret-store.ts'
import { ProviderError, type SecretStoreProvider, type StoreNotice, type StoreSession } from '../providers/provider.ts'
import type { OpenStore, Outage, Stores } from '../reconcilers/context.ts'
import { clusterEnv } from './cluster-env.ts'
import { StoreLink } from './store-link.ts'

export interface StoreHubOptions {
  readonly providers: readonly SecretStoreProvider[]
  readonly client: Pick<Reader, 'get'> & Pick<Writer, 'post'>
  /** The controller's own service account token; undefined outside a cluster. */
  ownToken(): Promise<string | undefined>
  noticed(store: string, notice: Exclude<StoreNotice, 'lost'>): void
  healthChanged(store: string): void
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: Logger
}

export class StoreHub implements Stores {
  readonly #options: StoreHubOptions
  readonly #links = new Map<string, { state: string; link: StoreLink }>()
  readonly #closing = new Set<Promise<void>>()

  constructor(options: StoreHubOptions) {
    this.#options = options
  }

  use(store: SecretStore): OpenStore {
    const key = `${store.namespace}/${store.name}`
    const state = `${store.uid} ${store.generation}`
    const known = this.#links.get(key)
    if (known?.state === state) return known.link
    if (known) this.#retire(known.link)
    const link = new StoreLink({
      open: () => this.#open(store),
      noticed: (notice) => this.#options.noticed(key, notice),
      healthChanged: () => this.#options.healthChanged(key),
      clock: this.#options.clock,
      random: this.#options.random,
      log: this.#options.log.with({ secretStore: key }),
    })
    this.#links.set(key, { state, link })
    return link
  }

  outage(key: string): Outage | undefined {
    return this.#links.get(key)?.link.outage
  }

  forget(key: string): void {
    const known = this.#links.get(key)
    this.#links.delete(key)
    if (known) this.#retire(known.link)
  }

  async close(): Promise<void> {
    for (const key of [...this.#links.keys()]) this.forget(key)
    await Promise.all(this.#closing)
  }

  #retire(link: StoreLink): void {
    const closing = link.close().finally(() => this.#closing.delete(closing))
    this.#closing.add(closing)
  }

  async #open(store: SecretStore): Promise<StoreSession> {
    const { providers, client, clock, random, log, ownToken } = this.#options
    const names = Object.keys(store.spec.provider)
    const provider = providers.find((one) => names.length === 1 && one.name === names[0])
    if (!provider) {
      const supported = providers.map((one) => one.name).join(', ')
      throw new ProviderError(
        'invalid',
        `spec.provider.${names.join('+')} is not supported; supported are: ${supported}`,
      )
    }
    const env = {
      ...clusterEnv(client, store.namespace),
      ownToken,
      maxRetries: store.spec.retrySettings?.maxRetries ?? 0,
      clock,
      random,
      log: log.with({ secretStore: `${store.namespace}/${store.name}` }),
    }
    return provider.open(store.spec.provider[provider.name], env)
  }
}

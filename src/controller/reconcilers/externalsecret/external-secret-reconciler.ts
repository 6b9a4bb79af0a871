import type { KubeObject, Ref } from '../../../kube/client.ts'
import type { Clock } from '../../../lib/clock.ts'
import type { Logger } from '../../../lib/log.ts'
import { type ExternalSecret, parseExternalSecret, type StoreRef } from '../../crds/external-secret.ts'
import type { Next, ObjectCache } from '../context.ts'
import { type Applied, apply, deleteSecret, hasFinalizer, type Sinks, setFinalizer } from './apply.ts'
import { planFor, type Verdict, verdictOn } from './decide.ts'
import { type Observed, observe, refsOf, type Sources, storeNamesOf } from './observe.ts'
import { RefIndex } from './ref-index.ts'
import { collectValues, type ReadableStore } from './values/collect.ts'

export interface ExternalSecretReconcilerOptions extends Omit<Sources, 'client'>, Omit<Sinks, 'client'> {
  readonly client: Sources['client'] & Sinks['client']
  readonly externalSecretCache: ObjectCache
  readonly clock: Clock
  readonly log: Logger
}

/** ExternalSecret -> Secret: observe, decide (pure), apply. One call per key at a time. */
export class ExternalSecretReconciler {
  readonly #options: ExternalSecretReconcilerOptions
  readonly #index = new RefIndex()
  /** Our own last write, until the watch has told of it: a decision on an older state would sync twice. */
  readonly #written = new Map<string, KubeObject>()
  /** Order of things, not time: a notice counts until a collection that began after it has worked. */
  readonly #noticed = new Map<string, number>()
  readonly #collected = new Map<string, number>()
  #step = 0

  constructor(options: ExternalSecretReconcilerOptions) {
    this.#options = options
  }

  /** Values at a location of a store changed, or (without location) any of them may have. Returns the keys to work on. */
  noticed(store: string, location?: string): readonly string[] {
    const readers =
      location === undefined ? this.#index.readersOfStore(store) : this.#index.readersOf({ store, location })
    this.#step += 1
    for (const reader of readers) this.#noticed.set(reader, this.#step)
    return readers
  }

  /** The keys that refer to a store, whether they could read from it or not. */
  readersOfStore(store: string): readonly string[] {
    return this.#index.readersOfStore(store)
  }

  async reconcile(ref: Ref): Promise<Next> {
    const key = `${ref.namespace ?? ''}/${ref.name}`
    const object = this.#latest(key, ref)
    if (!object) return this.#forget(key)
    const es = parseExternalSecret(object)
    if (typeof es === 'string') {
      this.#options.log.error('externalsecret.not_understood', { externalSecret: key, where: es })
      return { when: 'never' }
    }
    this.#index.set(key, { stores: storeNamesOf(es).map((name) => `${es.namespace}/${name}`), locations: [] })
    return this.#work(key, es)
  }

  async #work(key: string, es: ExternalSecret): Promise<Next> {
    const { clock, client } = this.#options
    const changedRemotely = (this.#noticed.get(key) ?? 0) > (this.#collected.get(key) ?? 0)
    const observed = await observe(es, this.#options, { nowMs: clock.now(), changedRemotely })
    await this.#listen(key, observed)
    const plan = planFor(observed)
    switch (plan.do) {
      case 'ignore':
        return { when: 'never' }
      case 'finish':
        return this.#finish(key, observed, plan.deleteSecret)
      default:
    }
    if (!hasFinalizer(es)) {
      const patched = await setFinalizer(es, true, client)
      if (patched === 'gone') return this.#forget(key)
      if (patched === 'conflict') return soon
      this.#written.set(key, patched)
      return this.reconcile({ namespace: es.namespace, name: es.name })
    }
    if (plan.do === 'wait') return plan.next
    if (plan.do === 'settle') return (await this.#apply(key, observed, plan.verdict)).next
    return this.#sync(key, observed)
  }

  async #sync(key: string, observed: Observed): Promise<Next> {
    const { log, stores } = this.#options
    this.#step += 1
    const step = this.#step
    const collected = await collectValues(observed.es, (ref) => readable(ref, observed))
    if (!collected.ok) log.warn('externalsecret.not_synced', { externalSecret: key, cause: collected.message })
    // Reading is how an outage is noticed, so what is known of it is newer now.
    const outages = [...observed.stores.keys()].flatMap((store) => {
      const outage = stores.outage(`${observed.es.namespace}/${store}`)
      return outage ? [{ store, outage }] : []
    })
    const now = { ...observed, outages }
    const applied = await this.#apply(key, now, verdictOn(now, collected))
    if (collected.ok && applied.done) this.#collected.set(key, step)
    return applied.next
  }

  async #apply(key: string, observed: Observed, verdict: Verdict): Promise<Applied> {
    const applied = await apply(observed, verdict, this.#options)
    if (applied.written) this.#written.set(key, applied.written)
    if (applied.done && verdict.secret.write !== 'nothing') {
      this.#options.log.info('externalsecret.synced', { externalSecret: key, write: verdict.secret.write })
    }
    return applied
  }

  async #finish(key: string, observed: Observed, deleteTarget: boolean): Promise<Next> {
    const { client } = this.#options
    if (deleteTarget && observed.secret) await deleteSecret(observed.secret, client)
    if (hasFinalizer(observed.es) && (await setFinalizer(observed.es, false, client)) === 'conflict') {
      return soon
    }
    return this.#forget(key)
  }

  /** From now on notices on what it reads wake it. */
  async #listen(key: string, observed: Observed): Promise<void> {
    const { namespace } = observed.es
    const located = refsOf(observed.es).map(async ({ ref, storeRef }) => {
      const view = observed.stores.get(storeRef.name)
      if (view?.state !== 'ready') return []
      // A store that can't be opened has no locations; the read that follows says why.
      const location = await view.open.locate(ref).catch(() => undefined)
      return location === undefined ? [] : [{ store: `${namespace}/${storeRef.name}`, location }]
    })
    const stores = storeNamesOf(observed.es).map((name) => `${namespace}/${name}`)
    this.#index.set(key, { stores, locations: (await Promise.all(located)).flat() })
  }

  #latest(key: string, ref: Ref): KubeObject | undefined {
    const cached = this.#options.externalSecretCache.get(ref)
    const written = this.#written.get(key)
    if (!written) return cached
    const isNewer = cached && cached.metadata.uid === written.metadata.uid && versionOf(cached) < versionOf(written)
    if (isNewer) return written
    this.#written.delete(key)
    return cached
  }

  #forget(key: string): Next {
    this.#index.delete(key)
    for (const map of [this.#written, this.#noticed, this.#collected]) map.delete(key)
    return { when: 'never' }
  }
}

const soon: Next = { when: 'after', ms: 100 }

/** Kubernetes 1.35 made it official that these can be compared as numbers (KEP-5504); etcd's always could. */
const versionOf = (object: KubeObject) => Number(object.metadata.resourceVersion ?? 0)

function readable(ref: StoreRef, observed: Observed): ReadableStore {
  const view = observed.stores.get(ref.name)
  if (view?.state === 'ready') return { open: view.open }
  const name = JSON.stringify(ref.name)
  if (view === undefined || view.state === 'missing') {
    return { unavailable: `could not get SecretStore ${name}, SecretStore.external-secrets.io ${name} not found` }
  }
  return { unavailable: `SecretStore ${name} is not ready` }
}

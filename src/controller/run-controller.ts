/** The controller: watches stores, ExternalSecrets and the Secrets it made, and keeps the last in step with the first. */
import type { KubeClient, KubeObject, Ref } from '../kube/client.ts'
import { createEventRecorder } from '../kube/events.ts'
import { type Change, Informer } from '../kube/informer.ts'
import { type Secret, secrets } from '../kube/object-types.ts'
import { WorkQueue, type WorkResult } from '../kube/work-queue.ts'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/log.ts'
import type { RandomBytes } from '../lib/random.ts'
import { untilAborted } from '../lib/until-aborted.ts'
import { externalSecrets } from './crds/external-secret.ts'
import { parseSecretStore, readyOf, secretStores } from './crds/secret-store.ts'
import type { SecretStoreProvider } from './providers/provider.ts'
import { controllerName, type Next, type Recorder } from './reconcilers/context.ts'
import { ExternalSecretReconciler } from './reconcilers/externalsecret/external-secret-reconciler.ts'
import { createdByLabel, managedLabel } from './reconcilers/externalsecret/marks/marks.ts'
import { secretStoreReconciler } from './reconcilers/secretstore/secret-store-reconciler.ts'
import { StoreHub } from './stores/store-hub.ts'

export interface ControllerOptions {
  readonly client: KubeClient
  readonly providers: readonly SecretStoreProvider[]
  /** The controller's own service account token; undefined outside a cluster. */
  ownToken(): Promise<string | undefined>
  /** Absent: all namespaces. */
  readonly namespace?: string
  readonly controllerClass: string
  /** ExternalSecrets that are worked on at the same time. */
  readonly concurrency: number
  readonly storeRequeueIntervalMs: number
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: Logger
  /** All is listed and being worked on. */
  onReady?(): void
}

const firstDelayMs = 1000
const maxDelayMs = 7 * 60_000
/** A store's change is watched; this only guards against having missed it. */
const safeguardMs = 5 * 60_000

/** Works until `signal` aborts; resolves when all that had begun has ended and the stores' logins are given back. */
export async function runController(options: ControllerOptions, signal: AbortSignal): Promise<void> {
  const informers = createInformers(options)
  const recorder = createEventRecorder({ ...options, component: controllerName })
  const record: Recorder = (about, { type, reason, message }) => recorder.record(about, type, reason, message)
  const stores = new StoreHub({
    ...options,
    noticed: (store, notice) => {
      const keys = reconciler.noticed(store, notice === 'reset' ? undefined : notice.location)
      for (const key of keys) queue.add(key)
    },
    healthChanged: (store) => {
      storeQueue.add(store)
      for (const key of reconciler.readersOfStore(store)) queue.add(key)
    },
  })
  const parts = { ...options, stores, record, storeCache: informers.stores.store }
  const reconciler = new ExternalSecretReconciler({
    ...parts,
    externalSecretCache: informers.externalSecrets.store,
    secretCache: informers.secrets.store,
  })
  const reconcileStore = secretStoreReconciler({ ...parts, requeueIntervalMs: options.storeRequeueIntervalMs })
  const backOff = { firstDelayMs, maxDelayMs }
  const queue = new WorkQueue({
    ...options,
    ...backOff,
    name: 'externalsecret',
    work: async (key) => resultOf(await reconciler.reconcile(refOf(key))),
  })
  const storeQueue = new WorkQueue({
    ...options,
    ...backOff,
    name: 'secretstore',
    work: async (key) => resultOf(await reconcileStore(refOf(key))),
  })

  informers.externalSecrets.onChange((change) => {
    if (isNews(change)) queue.add(keyOf(change.object))
  })
  informers.stores.onChange((change) => {
    const key = keyOf(change.object)
    if (isNews(change)) storeQueue.add(key)
    if (isNews(change) || becameReady(change)) for (const reader of reconciler.readersOfStore(key)) queue.add(reader)
  })
  informers.secrets.onChange(({ object }) => {
    for (const es of informers.externalSecrets.store.byIndex('target', keyOf(object))) queue.add(keyOf(es))
  })

  const watching = Object.values(informers).map((informer) => informer.run(signal))
  await Promise.race([Promise.all(Object.values(informers).map((informer) => informer.synced())), untilAborted(signal)])
  const working = [queue.run(signal), storeQueue.run(signal)]
  if (!signal.aborted) options.onReady?.()
  await Promise.all([...watching, ...working])
  await stores.close()
  await recorder.flush()
}

function createInformers({ client, namespace }: ControllerOptions) {
  const where = namespace === undefined ? {} : { namespace }
  return {
    stores: new Informer({ client, type: secretStores, options: where }),
    externalSecrets: new Informer({
      client,
      type: externalSecrets,
      options: where,
      indexes: { target: (object) => [`${object.metadata.namespace}/${targetName(object)}`] },
    }),
    secrets: new Informer<Secret>({
      client,
      type: secrets,
      options: { ...where, labelSelector: `${managedLabel}=true` },
      indexes: { createdBy: ({ metadata }) => [metadata.labels?.[createdByLabel] ?? ''] },
    }),
  }
}

function targetName(object: KubeObject): string {
  const spec = object['spec']
  const target = typeof spec === 'object' && spec !== null && 'target' in spec ? spec.target : undefined
  const name = typeof target === 'object' && target !== null && 'name' in target ? target.name : undefined
  return typeof name === 'string' && name !== '' ? name : (object.metadata.name ?? '')
}

/** Writes of status and finalizers are none: those are mostly our own. */
function isNews({ type, object, before }: Change<KubeObject>): boolean {
  if (type === 'deleted' || !before) return true
  return fingerprint(object) !== fingerprint(before)
}

const fingerprint = ({ metadata }: KubeObject) =>
  JSON.stringify([metadata.uid, metadata.generation, metadata.labels, metadata.annotations, metadata.deletionTimestamp])

const becameReady = ({ object, before }: Change<KubeObject>) => isReady(object) && !(before && isReady(before))

function isReady(store: KubeObject): boolean {
  const parsed = parseSecretStore(store)
  return typeof parsed !== 'string' && readyOf(parsed)?.status === 'True'
}

function resultOf(next: Next): WorkResult {
  switch (next.when) {
    case 'never':
      return undefined
    case 'after':
      return { requeueAfterMs: next.ms }
    case 'store':
      return { requeueAfterMs: safeguardMs }
    case 'backoff':
      throw new NotYet('it did not work; the object says why')
  }
}

/** The queue tries again, later each time. */
class NotYet extends Error {
  override name = 'NotYet'
}

function refOf(key: string): Ref {
  const slash = key.indexOf('/')
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) }
}

const keyOf = (object: KubeObject) => `${object.metadata.namespace ?? ''}/${object.metadata.name ?? ''}`

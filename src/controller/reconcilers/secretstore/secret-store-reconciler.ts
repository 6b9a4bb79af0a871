import { isDeepStrictEqual } from 'node:util'
import { ApiError, type Ref, type Writer } from '../../../kube/client.ts'
import type { Clock } from '../../../lib/clock.ts'
import type { Logger } from '../../../lib/log.ts'
import { parseSecretStore, type SecretStore, secretStores } from '../../crds/secret-store.ts'
import { ProviderError } from '../../providers/provider.ts'
import { controllerName, type Next, type ObjectCache, type Recorder, type Stores } from '../context.ts'
import { type CheckResult, type StoreVerdict, verdictOn } from './decide.ts'

export interface SecretStoreReconcilerOptions {
  readonly client: Writer
  readonly storeCache: ObjectCache
  readonly stores: Stores
  readonly record: Recorder
  readonly controllerClass: string
  readonly requeueIntervalMs: number
  readonly clock: Clock
  readonly log: Logger
}

/** SecretStore -> its Ready condition: observe (ask the store), decide, apply. ExternalSecrets wait for that condition. */
export function secretStoreReconciler(options: SecretStoreReconcilerOptions): (ref: Ref) => Promise<Next> {
  return async (ref) => {
    const key = `${ref.namespace ?? ''}/${ref.name}`
    const object = options.storeCache.get(ref)
    if (!object || object.metadata.deletionTimestamp !== undefined) {
      options.stores.forget(key)
      return { when: 'never' }
    }
    const store = parseSecretStore(object)
    if (typeof store === 'string') {
      options.log.error('secretstore.not_understood', { secretStore: key, where: store })
      return { when: 'never' }
    }
    const { controller } = store.spec
    if (controller !== '' && controller !== options.controllerClass) return { when: 'never' }
    const verdict = verdictOn(store, await observe(store, options), {
      nowMs: options.clock.now(),
      requeueIntervalMs: options.requeueIntervalMs,
    })
    return apply(store, verdict, options)
  }
}

async function observe(store: SecretStore, { stores }: SecretStoreReconcilerOptions): Promise<CheckResult> {
  try {
    return { answered: await stores.use(store).check() }
  } catch (error) {
    if (error instanceof ProviderError) return { error }
    throw error
  }
}

async function apply(store: SecretStore, verdict: StoreVerdict, options: SecretStoreReconcilerOptions): Promise<Next> {
  const { object } = store
  if (isDeepStrictEqual(object['status'], verdict.status)) return verdict.next
  try {
    const updated = { ...object, status: verdict.status }
    await options.client.update(secretStores, updated, { subresource: 'status', fieldManager: controllerName })
  } catch (error) {
    if (error instanceof ApiError && error.reason === 'Conflict') return { when: 'after', ms: 100 }
    if (error instanceof ApiError && error.reason === 'NotFound') return { when: 'never' }
    throw error
  }
  for (const note of verdict.events) options.record(object, note)
  const ready = verdict.status.conditions.find((condition) => condition.type === 'Ready')
  const secretStore = `${store.namespace}/${store.name}`
  options.log.info('secretstore.checked', { secretStore, ready: ready?.status, reason: ready?.reason })
  return verdict.next
}

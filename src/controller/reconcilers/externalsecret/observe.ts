import type { Reader } from '../../../kube/client.ts'
import { type Secret, secrets } from '../../../kube/object-types.ts'
import type { ExternalSecret, RemoteRefSpec, StoreRef } from '../../crds/external-secret.ts'
import { parseSecretStore, readyOf } from '../../crds/secret-store.ts'
import type { ObjectCache, OpenStore, Stores } from '../context.ts'
import { createdBy, isControlledBy, targetNameOf } from './marks/marks.ts'
import type { StoreOutage } from './stale.ts'

/** A referred store. 'foreign': another controller's by its class. 'new': nobody has looked at it yet, and it is seconds old. */
export type StoreView =
  | { readonly state: 'missing' | 'foreign' | 'new' | 'unready' }
  | { readonly state: 'ready'; readonly open: OpenStore }

/** All that a decision needs, read at one time. */
export interface Observed {
  readonly es: ExternalSecret
  /** By name; all are of the ExternalSecret's namespace. */
  readonly stores: ReadonlyMap<string, StoreView>
  readonly outages: readonly StoreOutage[]
  /** The target. */
  readonly secret: Secret | undefined
  /** Secrets that this ExternalSecret made under an earlier target name. */
  readonly orphans: readonly Secret[]
  readonly changedRemotely: boolean
  readonly nowMs: number
}

export interface Sources {
  readonly client: Reader
  /** Only those with the managed label; index 'createdBy' by that label. */
  readonly secretCache: ObjectCache<Secret>
  readonly storeCache: ObjectCache
  readonly stores: Stores
  /** Stores of other classes are another controller's. */
  readonly controllerClass: string
}

export async function observe(
  es: ExternalSecret,
  sources: Sources,
  at: { nowMs: number; changedRemotely: boolean },
): Promise<Observed> {
  const names = storeNamesOf(es)
  const stores = new Map(names.map((name) => [name, viewOf(name, es.namespace, sources, at.nowMs)]))
  const outages = names.flatMap((store) => {
    const outage = sources.stores.outage(`${es.namespace}/${store}`)
    return outage ? [{ store, outage }] : []
  })
  const secret = await targetSecret(es, sources)
  return { es, stores, outages, secret, orphans: orphansOf(es, sources.secretCache), ...at }
}

/** What is read, and where; an item may name its own store. */
export function refsOf(es: ExternalSecret): { ref: RemoteRefSpec; storeRef: StoreRef }[] {
  const { spec } = es
  const own = (source: { storeRef?: StoreRef | undefined } | undefined) => source?.storeRef ?? spec.secretStoreRef
  return [
    ...spec.dataFrom.flatMap(({ extract, sourceRef }) => (extract ? [{ ref: extract, storeRef: own(sourceRef) }] : [])),
    ...spec.data.map(({ remoteRef, sourceRef }) => ({ ref: remoteRef, storeRef: own(sourceRef) })),
  ]
}

export function storeNamesOf(es: ExternalSecret): string[] {
  const names = [es.spec.secretStoreRef.name, ...refsOf(es).map(({ storeRef }) => storeRef.name)]
  return [...new Set(names)].filter((name) => name !== '')
}

const newForMs = 5_000

function viewOf(name: string, namespace: string, sources: Sources, nowMs: number): StoreView {
  const object = sources.storeCache.get({ namespace, name })
  if (!object) return { state: 'missing' }
  const store = parseSecretStore(object)
  if (typeof store === 'string') return { state: 'unready' }
  const { controller } = store.spec
  if (controller !== '' && controller !== sources.controllerClass) return { state: 'foreign' }
  const open = sources.stores.use(store)
  const ready = readyOf(store)
  if (open.ready || ready?.status === 'True') return { state: 'ready', open }
  const age = nowMs - Date.parse(object.metadata.creationTimestamp ?? '')
  return { state: !ready && age < newForMs ? 'new' : 'unready' }
}

/** The cache holds only labelled Secrets: one that we never wrote is asked for. */
async function targetSecret(es: ExternalSecret, sources: Sources): Promise<Secret | undefined> {
  if (es.spec.target.creationPolicy === 'None') return undefined
  const ref = { namespace: es.namespace, name: targetNameOf(es) }
  const cached = sources.secretCache.get(ref)
  return cached ?? sources.client.get(secrets, ref)
}

/** ESO goes by the label alone; we also want to be the owner, since labels get copied. */
function orphansOf(es: ExternalSecret, cache: ObjectCache<Secret>): Secret[] {
  if (es.spec.target.creationPolicy !== 'Owner') return []
  return cache.byIndex('createdBy', createdBy(es)).filter(({ metadata }) => {
    const isTarget = metadata.name === targetNameOf(es)
    return metadata.namespace === es.namespace && !isTarget && isControlledBy(metadata, es)
  })
}

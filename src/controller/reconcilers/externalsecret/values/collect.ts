import type { ExternalSecret, RemoteRefSpec, StoreRef } from '../../../crds/external-secret.ts'
import { ProviderError } from '../../../providers/provider.ts'
import type { OpenStore } from '../../context.ts'
import { decodeValue } from './decode.ts'
import { membersOf } from './extract.ts'
import { convertKeys } from './keys.ts'

/** A store as a reader finds it: open, or the reason (in ESO's words) why not. */
export type ReadableStore = { readonly open: OpenStore } | { readonly unavailable: string }

export type Collected =
  | {
      readonly ok: true
      readonly data: ReadonlyMap<string, Uint8Array>
      /** Messages of MissingProviderSecret events: what deletionPolicy lets be absent. */
      readonly missing: readonly string[]
    }
  | {
      readonly ok: false
      /** For the event; never a value. */
      readonly message: string
      /** 'store': nothing will change before the store does, and that is watched. */
      readonly retry: 'backoff' | 'store'
    }

interface Wanted {
  readonly ref: RemoteRefSpec
  readonly storeRef: StoreRef
  /** "spec.data[0] (key: x)" */
  readonly place: string
  readonly missing: string
  take(value: Uint8Array, into: Map<string, Uint8Array>): void
}

/** dataFrom in order, then data; later wins. One that can't be had fails all: a Secret is never written half. */
export async function collectValues(es: ExternalSecret, storeOf: (ref: StoreRef) => ReadableStore): Promise<Collected> {
  const wanted = wantedOf(es)
  // All are asked at once; the answers are looked at in order, so that which error is reported does not depend on timing.
  const answers = await Promise.allSettled(wanted.map((one) => read(one, storeOf(one.storeRef))))
  const data = new Map<string, Uint8Array>()
  const missing: string[] = []
  for (const [index, one] of wanted.entries()) {
    const answer = answers[index]
    try {
      if (answer?.status !== 'fulfilled') throw answer?.reason
      if (answer.value !== undefined) one.take(answer.value, data)
      else if (es.spec.target.deletionPolicy === 'Retain') throw new ProviderError('failed', 'Secret does not exist')
      else missing.push(one.missing)
    } catch (error) {
      return failureAt(one, error)
    }
  }
  return { ok: true, data, missing }
}

async function read(wanted: Wanted, store: ReadableStore): Promise<Uint8Array | undefined> {
  if ('unavailable' in store) throw new StoreUnavailable(store.unavailable)
  const { key, property, version } = wanted.ref
  return store.open.get({ key, ...(property && { property }), ...(version && { version }) })
}

class StoreUnavailable extends Error {
  override name = 'StoreUnavailable'
}

function failureAt(wanted: Wanted, error: unknown): Collected {
  const known = error instanceof ProviderError || error instanceof StoreUnavailable
  if (!known) throw error
  const waits = error instanceof StoreUnavailable || error.code === 'outage'
  return {
    ok: false,
    message: `error processing ${wanted.place}, err: ${error.message}`,
    retry: waits ? 'store' : 'backoff',
  }
}

function wantedOf(es: ExternalSecret): Wanted[] {
  const { spec } = es
  const fromObjects = spec.dataFrom.flatMap((source, index): Wanted[] => {
    const { extract } = source
    if (!extract) return []
    return [
      {
        ref: extract,
        storeRef: source.sourceRef?.storeRef ?? spec.secretStoreRef,
        place: `spec.dataFrom[${index}].extract`,
        missing: `secret does not exist at provider using spec.dataFrom[${index}]`,
        take: (value, into) => {
          const members = convertKeys(extract.conversionStrategy, membersOf(value))
          for (const [key, member] of members) into.set(key, finished(extract, key, member))
        },
      },
    ]
  })
  const single = spec.data.map(
    ({ secretKey, remoteRef, sourceRef }, index): Wanted => ({
      ref: remoteRef,
      storeRef: sourceRef?.storeRef ?? spec.secretStoreRef,
      place: `spec.data[${index}] (key: ${remoteRef.key})`,
      // ESO says "dataFrom" here too.
      missing: `secret does not exist at provider using spec.dataFrom[${index}] (key=${remoteRef.key})`,
      take: (value, into) => into.set(secretKey, finished(remoteRef, secretKey, value)),
    }),
  )
  return [...fromObjects, ...single]
}

function finished(ref: RemoteRefSpec, key: string, value: Uint8Array): Uint8Array {
  const decoded = decodeValue(ref.decodingStrategy, value)
  if (ref.nullBytePolicy === 'Fail' && decoded.includes(0)) {
    throw new ProviderError(
      'failed',
      `fetched secret value for key ${JSON.stringify(key)} contains null bytes; nullBytePolicy is Fail`,
    )
  }
  return decoded
}

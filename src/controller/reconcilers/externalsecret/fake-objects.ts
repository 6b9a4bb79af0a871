import type { Secret } from '../../../kube/object-types.ts'
import { type ExternalSecret, parseExternalSecret } from '../../crds/external-secret.ts'
import { dataHash } from './marks/digest.ts'
import {
  createdBy,
  createdByLabel,
  dataHashAnnotation,
  managedLabel,
  ownerReferenceTo,
  syncedVersionOf,
} from './marks/marks.ts'
import { encodedData } from './secret-data.ts'

/** 2026-01-02T03:04:05Z, where FakeClock starts. */
export const startMs = Date.UTC(2026, 0, 2, 3, 4, 5)

/** For tests: an ExternalSecret as the API server would hand it out. */
export function fakeExternalSecret(spec: object = {}, status?: object, metadata: object = {}): ExternalSecret {
  const parsed = parseExternalSecret({
    apiVersion: 'external-secrets.io/v1',
    kind: 'ExternalSecret',
    metadata: { name: 'es', namespace: 'ns', uid: 'uid-1', generation: 1, resourceVersion: '5', ...metadata },
    spec: {
      secretStoreRef: { name: 'vault', kind: 'SecretStore' },
      refreshInterval: '1h',
      data: [{ secretKey: 'k', remoteRef: { key: 'path' } }],
      ...spec,
    },
    ...(status && { status }),
  })
  if (typeof parsed === 'string') throw new Error(parsed)
  return parsed
}

/** Its status after a sync at `startMs - agoMs`. */
export function fakeSynced(spec: object = {}, agoMs = 60_000, more: object = {}): ExternalSecret {
  const bare = fakeExternalSecret(spec)
  return fakeExternalSecret(spec, {
    refreshTime: new Date(startMs - agoMs).toISOString().replace('.000Z', 'Z'),
    syncedResourceVersion: syncedVersionOf(bare),
    conditions: [
      {
        type: 'Ready',
        status: 'True',
        reason: 'SecretSynced',
        message: 'secret synced',
        lastTransitionTime: '2026-01-01T00:00:00Z',
      },
    ],
    binding: { name: 'es' },
    ...more,
  })
}

/** The Secret that it made. */
export function fakeSecret(es: ExternalSecret, values: Record<string, string>, metadata: object = {}): Secret {
  const data = new Map(Object.entries(values).map(([key, value]) => [key, Buffer.from(value)]))
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'Opaque',
    metadata: {
      name: es.name,
      namespace: es.namespace,
      uid: 'uid-2',
      resourceVersion: '6',
      labels: { [managedLabel]: 'true', [createdByLabel]: createdBy(es) },
      annotations: { [dataHashAnnotation]: dataHash(data) },
      ownerReferences: [ownerReferenceTo(es)],
      ...metadata,
    },
    data: encodedData(data),
  }
}

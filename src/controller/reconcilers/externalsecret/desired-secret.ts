import { isDeepStrictEqual } from 'node:util'
import type { ObjectMeta, OwnerReference } from '../../../kube/client.ts'
import type { Secret } from '../../../kube/object-types.ts'
import type { ExternalSecret } from '../../crds/external-secret.ts'
import { dataHash } from './marks/digest.ts'
import {
  controllerOf,
  createdBy,
  createdByLabel,
  dataHashAnnotation,
  fieldManagerOf,
  isExternalSecret,
  managedLabel,
  ownedKeys,
  ownerReferenceTo,
  targetNameOf,
} from './marks/marks.ts'
import { decodedData, encodedData } from './secret-data.ts'

export type DesiredSecret =
  | { readonly write: 'nothing' }
  | { readonly write: 'create' | 'update'; readonly secret: Secret }
  /** In ESO's words; not retried until something changes. */
  | { readonly refused: string }

/** The Secret as it should be, made from what is there: pure. Foreign members stay where creationPolicy shares the Secret. */
export function desiredSecret(
  es: ExternalSecret,
  existing: Secret | undefined,
  values: ReadonlyMap<string, Uint8Array>,
): DesiredSecret {
  const { creationPolicy, immutable } = es.spec.target
  const owns = creationPolicy === 'Owner'
  const owner = existing && controllerOf(existing.metadata)
  if (owns && owner && owner.uid !== es.uid) {
    return { refused: isExternalSecret(owner) ? ownedByAnother : ownershipFailed }
  }
  const shared = creationPolicy === 'Merge' || creationPolicy === 'CreateOrMerge'
  const data = new Map([...(shared ? foreignData(es, existing) : []), ...values])
  const secret: Secret = {
    ...(existing ?? { apiVersion: 'v1', kind: 'Secret' }),
    metadata: metadataOf(es, existing?.metadata, dataHash(data)),
    type: existing?.type ?? 'Opaque',
    data: encodedData(data),
    ...(immutable && { immutable: true }),
  }
  if (!existing) return { write: 'create', secret }
  if (isSame(existing, secret)) return { write: 'nothing' }
  if (existing.immutable === true && !isDeepStrictEqual(decodedData(existing), decodedData(secret))) {
    return { refused: 'could not update secret, target is immutable' }
  }
  return { write: 'update', secret }
}

const ownedByAnother = 'target is owned by another ExternalSecret'
const ownershipFailed = 'failed to take ownership of target secret'

function foreignData(es: ExternalSecret, existing: Secret | undefined): Map<string, Uint8Array> {
  const data = decodedData(existing)
  for (const key of ownedKeys(existing?.metadata.managedFields, fieldManagerOf(es.name), 'data')) data.delete(key)
  return data
}

function metadataOf(es: ExternalSecret, existing: ObjectMeta | undefined, hash: string): ObjectMeta {
  const owns = es.spec.target.creationPolicy === 'Owner'
  const labels = { ...copied(es, existing, 'labels'), [managedLabel]: 'true' }
  const owned: Record<string, string> = owns
    ? { ...labels, [createdByLabel]: createdBy(es) }
    : omit(labels, createdByLabel)
  const ownerReferences = ownersOf(es, existing, owns)
  return {
    ...(existing ?? { name: targetNameOf(es), namespace: es.namespace }),
    labels: owned,
    annotations: { ...copied(es, existing, 'annotations'), [dataHashAnnotation]: hash },
    ...(ownerReferences.length > 0 || existing?.ownerReferences ? { ownerReferences } : {}),
  }
}

/** Without a template all labels and annotations of the ExternalSecret are copied; those that it lost are removed again. */
function copied(es: ExternalSecret, existing: ObjectMeta | undefined, member: 'labels' | 'annotations') {
  const kept = { ...existing?.[member] }
  for (const key of ownedKeys(existing?.managedFields, fieldManagerOf(es.name), member)) delete kept[key]
  return { ...kept, ...es.object.metadata[member] }
}

function ownersOf(es: ExternalSecret, existing: ObjectMeta | undefined, owns: boolean): OwnerReference[] {
  const others = existing?.ownerReferences?.filter((owner) => owner.uid !== es.uid) ?? []
  return owns ? [...others, ownerReferenceTo(es)] : others
}

function omit(labels: Record<string, string>, key: string): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).filter(([name]) => name !== key))
}

/** What an update could change; managedFields and versions are the API server's. */
function isSame(a: Secret, b: Secret): boolean {
  const facets = (secret: Secret) => ({
    type: secret.type,
    immutable: secret.immutable ?? false,
    data: decodedData(secret),
    labels: { ...secret.metadata.labels },
    annotations: { ...secret.metadata.annotations },
    owners: (secret.metadata.ownerReferences ?? []).map((owner) => ({ ...owner })),
  })
  return isDeepStrictEqual(facets(a), facets(b))
}

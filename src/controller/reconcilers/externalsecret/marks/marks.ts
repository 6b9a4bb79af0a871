/** The names by which ESO knows its Secrets again. Equal marks let a cluster change hands without one Secret write. */
import type { ManagedFieldsEntry, ObjectMeta, OwnerReference } from '../../../../kube/client.ts'
import type { ExternalSecret } from '../../../crds/external-secret.ts'
import { metadataHash, sha3 } from './digest.ts'

export const managedLabel = 'reconcile.external-secrets.io/managed'
export const createdByLabel = 'reconcile.external-secrets.io/created-by'
export const dataHashAnnotation = 'reconcile.external-secrets.io/data-hash'
export const finalizer = 'externalsecrets.external-secrets.io/externalsecret-cleanup'
const apiVersion = 'external-secrets.io/v1'
const managerPrefix = 'externalsecrets.external-secrets.io/'

/** Field managers have at most 128 bytes, but ESO hashes from 64 on. */
export function fieldManagerOf(name: string): string {
  const plain = `${managerPrefix}${name}`
  return plain.length > 63 ? `${managerPrefix}sha3/${sha3(name)}` : plain
}

export const createdBy = (es: { namespace: string; name: string }) => sha3(`${es.namespace}/${es.name}`)

export const syncedVersionOf = (es: ExternalSecret) =>
  `${es.object.metadata.generation ?? 0}-${metadataHash(es.object.metadata)}`

export const targetNameOf = (es: ExternalSecret) => es.spec.target.name || es.name

export function controllerOf(meta: ObjectMeta): OwnerReference | undefined {
  return meta.ownerReferences?.find((owner) => owner.controller === true)
}

export function isControlledBy(meta: ObjectMeta, es: { uid: string }): boolean {
  return controllerOf(meta)?.uid === es.uid
}

export function ownerReferenceTo(es: { name: string; uid: string }): OwnerReference {
  return { apiVersion, kind: 'ExternalSecret', name: es.name, uid: es.uid, controller: true, blockOwnerDeletion: true }
}

export const isExternalSecret = (owner: OwnerReference) =>
  owner.kind === 'ExternalSecret' && owner.apiVersion.startsWith('external-secrets.io/')

/** The keys of `member` that a manager wrote last; what it owns and no longer wants is stale. */
export function ownedKeys(
  entries: readonly ManagedFieldsEntry[] | undefined,
  manager: string,
  member: 'data' | 'labels' | 'annotations',
): Set<string> {
  const owned = new Set<string>()
  for (const entry of entries ?? []) {
    if (entry.manager !== manager) continue
    const parent = member === 'data' ? entry.fieldsV1 : branch(entry.fieldsV1, 'metadata')
    for (const field of Object.keys(branch(parent, member) ?? {})) if (field.startsWith('f:')) owned.add(field.slice(2))
  }
  return owned
}

function branch(fields: Record<string, unknown> | undefined, name: string): Record<string, unknown> | undefined {
  const value = fields?.[`f:${name}`]
  return typeof value === 'object' && value !== null ? { ...value } : undefined
}

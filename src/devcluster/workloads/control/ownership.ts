/** Who controls what: a controller keeps what its selector matches, takes what belongs to nobody, and lets go of the rest. */
import type { LabelSelector } from 'kubernetes-types/meta/v1.d.ts'
import {
  ApiError,
  type KubeClient,
  type KubeObject,
  type ObjectMeta,
  type OwnerReference,
  type ResourceType,
} from '../../../kube/client.ts'
import { refOf } from '../../../kube/resource-path.ts'

export const controllerOf = (metadata: ObjectMeta): OwnerReference | undefined =>
  metadata.ownerReferences?.find((owner) => owner.controller === true)

/** Whether `uid` is the controller of the object. */
export const controlledBy = (metadata: ObjectMeta, uid: string | undefined) =>
  uid !== undefined && controllerOf(metadata)?.uid === uid

export function ownerReferenceOf({ apiVersion, kind, metadata }: KubeObject): OwnerReference {
  const { name = '', uid = '' } = metadata
  return { apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: true }
}

/** An absent selector matches nothing. */
export function selects(selector: LabelSelector | undefined, labels: Record<string, string> | undefined): boolean {
  if (!selector) return false
  const value = (key: string) => (labels && Object.hasOwn(labels, key) ? labels[key] : undefined)
  const wanted = Object.entries(selector.matchLabels ?? {}).every(([key, text]) => value(key) === text)
  return (
    wanted &&
    (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
      const found = value(key)
      if (operator === 'Exists') return found !== undefined
      if (operator === 'DoesNotExist') return found === undefined
      const among = found !== undefined && values.includes(found)
      return operator === 'In' ? among : operator === 'NotIn' && !among
    })
  )
}

/** What the owner makes of an object of its namespace. */
export function claimOf(
  object: KubeObject,
  owner: KubeObject,
  selector: LabelSelector | undefined,
): 'keep' | 'adopt' | 'release' | 'ignore' {
  const controller = controllerOf(object.metadata)
  const matches = selects(selector, object.metadata.labels)
  const ending = owner.metadata.deletionTimestamp !== undefined
  if (controller) {
    if (controller.uid !== owner.metadata.uid) return 'ignore'
    if (matches) return 'keep'
    return ending ? 'ignore' : 'release'
  }
  return matches && !ending && !object.metadata.deletionTimestamp ? 'adopt' : 'ignore'
}

export interface ClaimOptions<T extends KubeObject> {
  readonly client: Pick<KubeClient, 'patch'>
  readonly type: ResourceType<T>
  readonly owner: KubeObject
  readonly selector: LabelSelector | undefined
  /** Comes with the ownership and goes with it. */
  readonly finalizer?: string
}

/** Those of `objects` that the owner has from now on. Throws a Conflict when one of them changed meanwhile. */
export async function claim<T extends KubeObject>(options: ClaimOptions<T>, objects: readonly T[]): Promise<T[]> {
  const claimed: T[] = []
  for (const object of objects) {
    const what = claimOf(object, options.owner, options.selector)
    if (what === 'keep') claimed.push(object)
    else if (what !== 'ignore') {
      const changed = await rewriteOwner(options, object, what)
      if (changed && what === 'adopt') claimed.push(changed)
    }
  }
  return claimed
}

async function rewriteOwner<T extends KubeObject>(
  { client, type, owner, finalizer }: ClaimOptions<T>,
  object: T,
  what: 'adopt' | 'release',
): Promise<T | undefined> {
  const { resourceVersion, ownerReferences = [], finalizers = [] } = object.metadata
  const owners = ownerReferences.filter(({ uid }) => uid !== owner.metadata.uid)
  const kept = finalizers.filter((known) => known !== finalizer)
  const metadata = {
    resourceVersion,
    ownerReferences: what === 'adopt' ? [...owners, ownerReferenceOf(owner)] : owners,
    ...(finalizer ? { finalizers: what === 'adopt' ? [...kept, finalizer] : kept } : {}),
  }
  try {
    return await client.patch(type, refOf(object), { kind: 'merge', body: { metadata } }, { fieldManager })
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined
    throw error
  }
}

/** As Kubernetes' controllers call themselves. */
export const fieldManager = 'kube-controller-manager'

/** Where a kube-apiserver would keep an object in etcd: some of its refusals say it. */
import type { KubeObject } from '../../../kube/client.ts'
import type { Resource } from '../resource.ts'
import { conflict, type StatusError } from '../status.ts'

/** Kept under another name than they are served. */
const otherNames: ReadonlyMap<string, string> = new Map([
  ['services', 'services/specs'],
  ['nodes', 'minions'],
])

function storageKey(resource: Resource, namespace: string | undefined, name: string, dryRun: boolean): string {
  const { custom, group, plural } = resource
  const ownFolder = custom || group === 'apiextensions.k8s.io'
  const kept = ownFolder ? `${group}/${plural}` : (otherNames.get(plural) ?? plural)
  const steps = [...(dryRun ? [] : ['registry']), kept, ...(namespace === undefined ? [] : [namespace]), name]
  return `/${steps.join('/')}`
}

/** Another object than the one that was meant; `stored` is undefined where there is none. In the words of the storage. */
export function otherUid(
  { resource, namespace, name = '', dryRun }: Place,
  asked: string,
  stored: KubeObject | undefined,
): StatusError {
  const key = storageKey(resource, namespace, name, dryRun)
  const words = `Precondition failed: UID in precondition: ${asked}, UID in object meta: ${stored?.metadata.uid ?? ''}`
  return conflict(
    resource,
    name,
    `StorageError: invalid object, Code: 4, Key: ${key}, ResourceVersion: 0, AdditionalErrorMsg: ${words}`,
  )
}

interface Place {
  readonly resource: Resource
  readonly namespace: string | undefined
  readonly name: string | undefined
  readonly dryRun: boolean
}

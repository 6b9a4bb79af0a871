/** The eviction subresource. There are no disruption budgets here, so an eviction is a deletion that says why. */
import type { KubeObject } from '../../../../kube/client.ts'
import { badRequest, conflict, StatusError } from '../../status.ts'
import type { ObjectStore } from '../../store/object-store.ts'
import { isTree, type Tree, textAt } from '../../tree.ts'
import { type DeleteOptions, deleteOptionsIn } from '../deletion/delete-options.ts'
import { withCondition } from './binding.ts'

/** What `body`, an Eviction, asks of the deletion; `dryRun`: asked for by the request itself. */
export function evictionOptions(body: Tree, name: string, dryRun: boolean): DeleteOptions {
  if (textAt(body, 'metadata', 'name') !== name) throw badRequest('name in URL does not match name in Eviction object')
  const asked = body['deleteOptions']
  const options = deleteOptionsIn(isTree(asked) ? asked : {})
  return { ...options, dryRun: options.dryRun || dryRun }
}

/** The pod with the reason of its end, stored. */
export function markEvicted(store: ObjectStore, pod: KubeObject, nowText: string): KubeObject {
  if (pod.metadata.deletionTimestamp) return pod
  const condition = {
    type: 'DisruptionTarget',
    status: 'True',
    lastProbeTime: null,
    lastTransitionTime: nowText,
    reason: 'EvictionByEvictionAPI',
    message: 'Eviction API: evicting',
  }
  const marked = store.put('pods', { ...pod, status: withCondition(pod, condition) }, pod)
  if (!marked) throw conflict({ group: '', plural: 'pods' }, pod.metadata.name ?? '', 'the object has been modified')
  return marked
}

/** Of an eviction that the kind of body can not be. */
export function refuseOtherKind(body: Tree): void {
  if (body['kind'] !== undefined && body['kind'] !== 'Eviction')
    throw new StatusError(400, 'BadRequest', `${String(body['kind'])} cannot be handled as an Eviction`)
}

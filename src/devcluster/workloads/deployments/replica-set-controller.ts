/** ReplicaSets make pods. */
import { ApiError } from '../../../kube/client.ts'
import { pods, type ReplicaSet, replicaSets } from '../../../kube/object-types.ts'
import type { WorkResult } from '../../../kube/work-queue.ts'
import {
  type Controller,
  type ControllerOptions,
  controllerQueue,
  controllersOf,
  type Informers,
  keyOf,
  recorderOf,
  refFrom,
  writeStatus,
} from '../control/controller.ts'
import { claim, controlledBy, controllerOf, selects } from '../control/ownership.ts'
import { createPods, deletePod, podOf } from '../control/pod-maker.ts'
import { isActive } from '../control/pod-state.ts'
import { decideReplicaSet, lookAgainMs, type ReplicaSetObserved, replicaSetStatus } from './decide-replica-set.ts'

export function replicaSetController(options: ControllerOptions, informers: Informers): Controller {
  const recorder = recorderOf(options, 'replicaset-controller')
  const queue = controllerQueue(options, 'replicasets', (key) => sync({ ...options, recorder }, key))
  informers.replicaSets.onChange(({ object }) => queue.add(keyOf(object)))
  informers.pods.onChange((change) => {
    for (const key of controllersOf(change, 'ReplicaSet')) queue.add(key)
    const { object } = change
    // Nobody's: whoever selects it may have it.
    if (controllerOf(object.metadata)) return
    for (const set of informers.replicaSets.store.list(object.metadata.namespace))
      if (selects(set.spec?.selector, object.metadata.labels)) queue.add(keyOf(set))
  })
  return {
    async run(signal) {
      await queue.run(signal)
      await recorder.flush()
    },
  }
}

type Tools = ControllerOptions & { readonly recorder: ReturnType<typeof recorderOf> }

async function sync(tools: Tools, key: string): Promise<WorkResult> {
  const { client } = tools
  const replicaSet = await client.get(replicaSets, refFrom(key))
  if (!replicaSet) return undefined
  const observed = await observe(tools, replicaSet)
  const { create, remove } = decideReplicaSet(observed)
  const wanted = Array.from({ length: create }, () => podOf(replicaSet, replicaSet.spec?.template))
  let { failure } = await createPods(tools, replicaSet, wanted)
  for (const pod of remove) {
    try {
      await deletePod(tools, replicaSet, pod)
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      failure = error.message
    }
  }
  const after = create > 0 || remove.length > 0 ? await observe(tools, replicaSet) : observed
  await writeStatus(client, replicaSets, replicaSet, replicaSetStatus(after, failure))
  if (failure !== undefined) throw new Error(failure)
  const ms = lookAgainMs(after)
  return ms === undefined ? undefined : { requeueAfterMs: ms }
}

async function observe({ client, clock }: Tools, replicaSet: ReplicaSet): Promise<ReplicaSetObserved> {
  const { namespace } = replicaSet.metadata
  const all = (await client.list(pods, { namespace })).items
  const { selector } = replicaSet.spec ?? {}
  const own = await claim({ client, type: pods, owner: replicaSet, selector }, all.filter(isActive))
  const owner = controllerOf(replicaSet.metadata)?.uid
  const siblings = owner ? (await client.list(replicaSets, { namespace })).items : [replicaSet]
  const family = siblings.filter(
    (set) => set.metadata.uid === replicaSet.metadata.uid || controlledBy(set.metadata, owner),
  )
  const related = all.filter((pod) => family.some((set) => controlledBy(pod.metadata, set.metadata.uid)))
  return { replicaSet, pods: own, related, nowMs: clock.now() }
}

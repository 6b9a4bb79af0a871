/** Deployments make ReplicaSets. */
import { ApiError } from '../../../kube/client.ts'
import { type Deployment, deployments, pods, type ReplicaSet, replicaSets } from '../../../kube/object-types.ts'
import { refOf } from '../../../kube/resource-path.ts'
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
import { claim, controlledBy, controllerOf, fieldManager, selects } from '../control/ownership.ts'
import { type DeploymentDecision, decideDeployment } from './decide-deployment.ts'
import { condition, hasDeadline, withCondition } from './deployment-status.ts'
import { revisionAnnotation } from './revisions.ts'
import { sameTemplate } from './template-hash.ts'

export function deploymentController(options: ControllerOptions, informers: Informers): Controller {
  const recorder = recorderOf(options, 'deployment-controller')
  const queue = controllerQueue(options, 'deployments', (key) => sync({ ...options, recorder }, key))
  informers.deployments.onChange(({ object }) => queue.add(keyOf(object)))
  informers.replicaSets.onChange((change) => {
    for (const key of controllersOf(change, 'Deployment')) queue.add(key)
    const { object } = change
    // Nobody's: whoever selects it may have it.
    if (controllerOf(object.metadata)) return
    for (const deployment of informers.deployments.store.list(object.metadata.namespace))
      if (selects(deployment.spec?.selector, object.metadata.labels)) queue.add(keyOf(deployment))
  })
  informers.pods.onChange((change) => {
    // Recreate waits for the end of old pods.
    for (const key of controllersOf(change, 'ReplicaSet')) {
      const set = informers.replicaSets.store.get(refFrom(key))
      if (set) for (const owner of controllersOf({ object: set }, 'Deployment')) queue.add(owner)
    }
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
  const { client, clock } = tools
  const deployment = await client.get(deployments, refFrom(key))
  if (!deployment) return undefined
  const { namespace } = deployment.metadata
  const { selector } = deployment.spec ?? {}
  const sets = await client.list(replicaSets, { namespace })
  const own = await claim({ client, type: replicaSets, owner: deployment, selector }, sets.items)
  const all = (await client.list(pods, { namespace })).items
  const decision = decideDeployment({
    deployment,
    replicaSets: own,
    pods: all.filter((pod) => own.some((set) => controlledBy(pod.metadata, set.metadata.uid))),
    nowMs: clock.now(),
  })
  if (decision.create && !(await createReplicaSet(tools, deployment, decision.create))) return undefined
  for (const step of decision.update) await updateReplicaSet(tools, deployment, step)
  for (const set of decision.remove) await client.delete(replicaSets, refOf(set), { uid: set.metadata.uid })
  const { status, revision, lookAgainMs } = decision
  await writeStatus(client, deployments, deployment, status, revision ? { [revisionAnnotation]: revision } : {})
  return lookAgainMs === undefined ? undefined : { requeueAfterMs: lookAgainMs }
}

/** False: another object has the name; the Deployment has been told to take another one. */
async function createReplicaSet(tools: Tools, deployment: Deployment, set: ReplicaSet): Promise<boolean> {
  const { client, log } = tools
  const { name = '' } = set.metadata
  try {
    await client.create(replicaSets, set, { fieldManager })
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    if (error.reason === 'AlreadyExists') return settleCollision(tools, deployment, set)
    await tellFailure(tools, deployment, `Failed to create new replica set "${name}": ${error.message}`)
    throw error
  }
  log.info('deployment.replicaset_created', { name })
  const replicas = set.spec?.replicas ?? 0
  if (replicas > 0) tellScaling(tools, deployment, name, 0, replicas)
  return true
}

async function settleCollision({ client, log }: Tools, deployment: Deployment, set: ReplicaSet): Promise<boolean> {
  const held = await client.get(replicaSets, refOf(set))
  const ours = controlledBy(held?.metadata ?? {}, deployment.metadata.uid)
  if (held && ours && sameTemplate(held.spec?.template, set.spec?.template)) return true
  const collisionCount = (deployment.status?.collisionCount ?? 0) + 1
  log.info('deployment.hash_collision', { name: deployment.metadata.name ?? '', collisionCount })
  await writeStatus(client, deployments, deployment, { ...deployment.status, collisionCount })
  return false
}

async function tellFailure({ client, clock, recorder }: Tools, deployment: Deployment, message: string): Promise<void> {
  recorder.record(deployment, 'Warning', 'ReplicaSetCreateError', message)
  if (!hasDeadline(deployment)) return
  const next = condition('Progressing', 'False', 'ReplicaSetCreateError', message)
  const conditions = withCondition(deployment.status?.conditions ?? [], next, clock.now())
  await writeStatus(client, deployments, deployment, { ...deployment.status, conditions })
}

async function updateReplicaSet(
  tools: Tools,
  deployment: Deployment,
  { before, after }: DeploymentDecision['update'][number],
): Promise<void> {
  await tools.client.update(replicaSets, after, { fieldManager })
  const from = before.spec?.replicas ?? 0
  const to = after.spec?.replicas ?? 0
  if (from !== to) tellScaling(tools, deployment, after.metadata.name ?? '', from, to)
}

function tellScaling({ recorder }: Tools, deployment: Deployment, name: string, from: number, to: number): void {
  const how = to > from ? 'up' : 'down'
  recorder.record(deployment, 'Normal', 'ScalingReplicaSet', `Scaled ${how} replica set ${name} from ${from} to ${to}`)
}

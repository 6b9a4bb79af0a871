/** The end of a run in somebody's cluster: its namespace goes, and with it, by ownership, all that it made. */
import { ApiError, type KubeClient, type KubeObject, type ResourceType } from '../../../kube/client.ts'
import {
  customResourceDefinitions,
  mutatingWebhookConfigurations,
  namespaces,
  nodes,
  pods,
} from '../../../kube/object-types.ts'
import { refOf } from '../../../kube/resource-path.ts'
import type { Clock } from '../../../lib/clock.ts'
import { managedBy, managedByLabel, type RunMarks, runLabel } from './run-marks.ts'

const type = (group: string, plural: string, kind: string, namespaced: boolean): ResourceType => ({
  group,
  version: 'v1',
  plural,
  kind,
  namespaced,
})
const externalSecrets = type('external-secrets.io', 'externalsecrets', 'ExternalSecret', true)
const rbac = 'rbac.authorization.k8s.io'

/** Kinds without a namespace of which a run makes objects, beside the definitions that it may share with other runs. */
const ownKinds = [
  nodes,
  mutatingWebhookConfigurations,
  type(rbac, 'clusterroles', 'ClusterRole', false),
  type(rbac, 'clusterrolebindings', 'ClusterRoleBinding', false),
  type('certificates.k8s.io', 'certificatesigningrequests', 'CertificateSigningRequest', false),
]

/**
 * Asks for the end of the namespace and takes away what would hold it up now that nobody of the run is left to answer: the
 * controller's finalizers, and pods whose node is gone. Resolves when it is gone, or when our account, which was in it, is.
 */
export async function removeNamespace(kube: KubeClient, clock: Clock, name: string, withinMs: number): Promise<void> {
  const deadline = clock.monotonic() + withinMs
  await dropFinalizers(kube, name)
  await kube.delete(namespaces, { name })
  for (;;) {
    try {
      for (const pod of (await kube.list(pods, { namespace: name })).items)
        await kube.delete(pods, refOf(pod), { uid: pod.metadata.uid, gracePeriodSeconds: 0 })
      if (!(await kube.get(namespaces, { name }))) return
    } catch (error) {
      if (!(error instanceof ApiError && [401, 403, 409].includes(error.status))) throw error
      // Ours no more: the cluster goes on by itself. (409: another pod has that name by now.)
      if (error.status !== 409) return
    }
    if (clock.monotonic() > deadline) throw new Error(`namespace ${name} is still there after ${withinMs / 1000} s`)
    await clock.sleep(50)
  }
}

async function dropFinalizers(kube: KubeClient, namespace: string): Promise<void> {
  const found = await kube.list(externalSecrets, { namespace }).catch((error: unknown) => {
    // The definition may not have been made yet, or be gone already.
    if (error instanceof ApiError && error.status === 404) return { items: [] }
    throw error
  })
  for (const one of found.items) {
    if (one.metadata.finalizers?.length)
      await kube.patch(externalSecrets, refOf(one), { kind: 'merge', body: { metadata: { finalizers: null } } })
  }
}

/** Waits for the garbage collector. Throws with what is still there. */
export async function waitAllGone(kube: KubeClient, clock: Clock, marks: RunMarks, withinMs: number): Promise<void> {
  const deadline = clock.monotonic() + withinMs
  for (;;) {
    const left = await leftOf(kube, marks)
    if (left.length === 0) return
    if (clock.monotonic() > deadline) throw new Error(`still there after ${withinMs / 1000} s: ${left.join(', ')}`)
    await clock.sleep(50)
  }
}

async function leftOf(kube: KubeClient, marks: RunMarks): Promise<string[]> {
  const labelSelector = `${runLabel}=${marks.id}`
  const lists = await Promise.all(
    ownKinds.map(async (kind) => {
      const { items } = await kube.list(kind, { labelSelector })
      return items.map((object) => `${kind.plural}/${object.metadata.name}`)
    }),
  )
  // Not all: a cluster may have hundreds, of a hundred kilobytes each.
  const ours = { labelSelector: `${managedByLabel}=${managedBy}` }
  const { items } = await kube.list(customResourceDefinitions, ours)
  const owned = items.filter((object) => isOwnedBy(object, marks.owner.uid))
  return [...lists.flat(), ...owned.map((object) => `customresourcedefinitions/${object.metadata.name}`)]
}

const isOwnedBy = (object: KubeObject, uid: string) =>
  object.metadata.ownerReferences?.some((owner) => owner.uid === uid) === true

/** The heartbeat of a node, as kubelets give it: a Lease each 10 s, the whole status each 5 min. */
import type { KubeClient, KubeObject, ResourceType } from '../../../../kube/client.ts'
import type { Node } from '../../../../kube/object-types.ts'
import type { Clock } from '../../../../lib/clock.ts'
import type { Logger } from '../../../../lib/log.ts'

export const leases: ResourceType = {
  group: 'coordination.k8s.io',
  version: 'v1',
  plural: 'leases',
  kind: 'Lease',
  namespaced: true,
}
/** Where the node lifecycle controller looks for them. */
export const leaseNamespace = 'kube-node-lease'
const leaseSeconds = 40
const renewMs = 10_000
const statusMs = 300_000

export interface HeartbeatOptions {
  readonly client: KubeClient
  readonly clock: Clock
  readonly log: Logger
  readonly node: Node
  postStatus(): Promise<unknown>
}

/** Until `signal` aborts. What fails is said once and tried again: a cluster that hears nothing evicts the pods. */
export async function keepNodeAlive(options: HeartbeatOptions, signal: AbortSignal): Promise<void> {
  const { clock, log } = options
  let postedAt = clock.monotonic()
  let silent = false
  while (!signal.aborted) {
    try {
      await renew(options)
      if (clock.monotonic() - postedAt >= statusMs) {
        await options.postStatus()
        postedAt = clock.monotonic()
      }
      if (silent) log.info('node.heartbeat_again')
      silent = false
    } catch (error) {
      if (!silent) log.warn('node.heartbeat_failed', { error: error instanceof Error ? error.message : String(error) })
      silent = true
    }
    await clock.sleep(renewMs, signal).catch(() => {})
  }
}

async function renew({ client, clock, node }: HeartbeatOptions): Promise<void> {
  const { name = '', uid = '' } = node.metadata
  const ref = { namespace: leaseNamespace, name }
  // A MicroTime, which has six digits.
  const renewTime = new Date(clock.now()).toISOString().replace('Z', '000Z')
  const spec = { holderIdentity: name, leaseDurationSeconds: leaseSeconds, renewTime }
  const found = await client.get(leases, ref)
  if (found) {
    await client.patch(leases, ref, { kind: 'merge', body: { spec } })
    return
  }
  const lease: KubeObject = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { ...ref, ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name, uid }] },
    spec,
  }
  await client.create(leases, lease)
}

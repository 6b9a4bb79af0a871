import type { KubeObject } from '../../../kube/client.ts'
import { pods, secrets } from '../../../kube/object-types.ts'
import { type DemoContext, StepFailed, until } from './context.ts'

export interface Condition {
  readonly type: string
  readonly status: string
  readonly reason?: string
  readonly message?: string
}

const externalSecrets = {
  group: 'external-secrets.io',
  version: 'v1',
  plural: 'externalsecrets',
  kind: 'ExternalSecret',
  namespaced: true,
} as const

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

export function conditionsOf(object: KubeObject | undefined): readonly Condition[] {
  const status = object?.['status']
  const conditions = isRecord(status) ? status['conditions'] : undefined
  if (!Array.isArray(conditions)) return []
  return conditions.filter(
    (c): c is Condition => isRecord(c) && typeof c['type'] === 'string' && typeof c['status'] === 'string',
  )
}

export const externalSecretConditions = async ({ cluster }: DemoContext) =>
  conditionsOf(await cluster.kube.get(externalSecrets, { namespace: cluster.namespace, name: 'my-app-secrets' }))

/** The decoded key `config` of the Kubernetes Secret that the seed's ExternalSecret makes. */
export async function syncedSecret({
  cluster,
}: DemoContext): Promise<{ config: string; object: KubeObject } | undefined> {
  const object = await cluster.kube.get(secrets, { namespace: cluster.namespace, name: 'my-app-secrets' })
  const data = object?.['data']
  const config = isRecord(data) ? data['config'] : undefined
  return object && typeof config === 'string' ? { config: Buffer.from(config, 'base64').toString(), object } : undefined
}

/** The running pod of the seed's Deployment. */
export const appPod = (context: DemoContext) =>
  until(context, { what: 'a running pod of Deployment my-app', part: 'workloads', withinMs: 30_000 }, async () => {
    const { kube, namespace } = context.cluster
    const { items } = await kube.list(pods, { namespace, labelSelector: 'app=my-app' })
    return items.find(
      (pod) => isRecord(pod['status']) && pod['status']['phase'] === 'Running' && !pod.metadata.deletionTimestamp,
    )
  })

/** What `kubectl logs` shows. */
export async function podLog(context: DemoContext, pod: string, container: string): Promise<string> {
  const { kube, namespace } = context.cluster
  const answer = await kube.raw({
    method: 'GET',
    path: `/api/v1/namespaces/${namespace}/pods/${pod}/log?container=${container}`,
  })
  if (answer.status !== 200)
    throw new StepFailed('workloads', `logs of ${pod}/${container}: status ${answer.status}: ${answer.body}`)
  return answer.body
}

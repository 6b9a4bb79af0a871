/** The resource types that Coffer speaks of, with the shapes of their objects where we read them. */
import type { MutatingWebhook } from 'kubernetes-types/admissionregistration/v1.d.ts'
import type { DeploymentSpec, DeploymentStatus, ReplicaSetSpec, ReplicaSetStatus } from 'kubernetes-types/apps/v1.d.ts'
import type { TokenRequestSpec, TokenRequestStatus, TokenReviewSpec } from 'kubernetes-types/authentication/v1.d.ts'
import type { CronJobSpec, CronJobStatus, JobSpec, JobStatus } from 'kubernetes-types/batch/v1.d.ts'
import type {
  EventSource,
  NodeSpec,
  NodeStatus,
  ObjectReference,
  PodSpec,
  PodStatus,
} from 'kubernetes-types/core/v1.d.ts'
import type { KubeObject, ResourceType } from './client.ts'

export type Pod = KubeObject & { spec?: PodSpec; status?: PodStatus }
export type Secret = KubeObject & { data?: Record<string, string>; type?: string; immutable?: boolean }
export type ConfigMap = KubeObject & {
  data?: Record<string, string>
  binaryData?: Record<string, string>
  immutable?: boolean
}
export type ServiceAccount = KubeObject & { secrets?: ObjectReference[]; automountServiceAccountToken?: boolean }
export type Node = KubeObject & { spec?: NodeSpec; status?: NodeStatus }
export type Deployment = KubeObject & { spec?: DeploymentSpec; status?: DeploymentStatus }
export type ReplicaSet = KubeObject & { spec?: ReplicaSetSpec; status?: ReplicaSetStatus }
export type Job = KubeObject & { spec?: JobSpec; status?: JobStatus }
export type CronJob = KubeObject & { spec?: CronJobSpec; status?: CronJobStatus }
export type CoreEvent = KubeObject & {
  involvedObject: ObjectReference
  type?: string
  reason?: string
  message?: string
  source?: EventSource
  count?: number
  firstTimestamp?: string
  lastTimestamp?: string
}
export type MutatingWebhookConfiguration = KubeObject & { webhooks?: MutatingWebhook[] }
export type TokenRequest = KubeObject & { spec: TokenRequestSpec; status?: TokenRequestStatus }
export type TokenReview = KubeObject & {
  spec: TokenReviewSpec
  status?: {
    authenticated?: boolean
    error?: string
    audiences?: string[]
    user?: { username?: string; uid?: string; groups?: string[]; extra?: Record<string, string[]> }
  }
}

const type = <T extends KubeObject = KubeObject>(
  groupVersion: string,
  plural: string,
  kind: string,
  scope: 'namespaced' | 'cluster' = 'namespaced',
): ResourceType<T> => {
  const [group, version] = groupVersion.includes('/') ? groupVersion.split('/') : ['', groupVersion]
  return { group: group ?? '', version: version ?? '', plural, kind, namespaced: scope === 'namespaced' }
}

export const pods = type<Pod>('v1', 'pods', 'Pod')
export const secrets = type<Secret>('v1', 'secrets', 'Secret')
export const configMaps = type<ConfigMap>('v1', 'configmaps', 'ConfigMap')
export const serviceAccounts = type<ServiceAccount>('v1', 'serviceaccounts', 'ServiceAccount')
export const events = type<CoreEvent>('v1', 'events', 'Event')
export const namespaces = type('v1', 'namespaces', 'Namespace', 'cluster')
export const nodes = type<Node>('v1', 'nodes', 'Node', 'cluster')
export const deployments = type<Deployment>('apps/v1', 'deployments', 'Deployment')
export const replicaSets = type<ReplicaSet>('apps/v1', 'replicasets', 'ReplicaSet')
export const jobs = type<Job>('batch/v1', 'jobs', 'Job')
export const cronJobs = type<CronJob>('batch/v1', 'cronjobs', 'CronJob')
export const mutatingWebhookConfigurations = type<MutatingWebhookConfiguration>(
  'admissionregistration.k8s.io/v1',
  'mutatingwebhookconfigurations',
  'MutatingWebhookConfiguration',
  'cluster',
)
export const customResourceDefinitions = type(
  'apiextensions.k8s.io/v1',
  'customresourcedefinitions',
  'CustomResourceDefinition',
  'cluster',
)
export const tokenReviews = type<TokenReview>('authentication.k8s.io/v1', 'tokenreviews', 'TokenReview', 'cluster')

/** "v1" or "apps/v1". */
export const apiVersionOf = (t: ResourceType) => (t.group === '' ? t.version : `${t.group}/${t.version}`)
